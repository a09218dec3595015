// The events of a run that the rail flags, from its facts.
import { SpikeKind } from "@/gen/lab/v1/recording_pb";
import type { Event } from "@/gen/lab/v1/event_pb";
import type { Run } from "@/gen/lab/v1/run_pb";
import { formatCount, formatLoss, formatNumber } from "@/lib/format";
import type { Flag } from "./stops";

/** Fields of Event.fact that become flags. */
export const FLAG_KINDS = [
  "spike_flagged",
  "evaluation_completed",
  "settings_changed",
  "run_resumed",
  "step_differed",
];

const SPIKE_OF: Partial<Record<SpikeKind, string>> = {
  [SpikeKind.LOSS]: "loss spike",
  [SpikeKind.GRAD_NORM]: "gradient spike",
  [SpikeKind.NON_FINITE]: "not a number",
};

/** `forks` are the runs that went on from this one; `events` come oldest first. */
export function flagsOf(
  run: Run | undefined,
  forks: readonly Run[],
  events: readonly Event[],
): Flag[] {
  const flags: Flag[] = [];
  if (run?.parent) {
    const { step } = run.parent;
    flags.push({ step, kind: "fork", text: `forked from ${idOf(run.parent.run)} here` });
  }
  for (const { name, parent } of forks) {
    if (parent)
      flags.push({ step: parent.step, kind: "fork", text: `${idOf(name)} forked off here` });
  }
  let best: { step: number; loss: number } | undefined;
  for (const { fact } of events) {
    if (fact.case === "spikeFlagged") {
      const { step, kind, value, z } = fact.value;
      const what = SPIKE_OF[kind] ?? "spike";
      const size = z > 0 ? ` ${formatNumber(value)}, ${formatNumber(z)} deviations out` : "";
      flags.push({ step, kind: "spike", text: what + size });
    } else if (fact.case === "evaluationCompleted") {
      const { step, loss } = fact.value;
      if (best === undefined || loss < best.loss) best = { step, loss };
    } else if (fact.case === "settingsChanged") {
      flags.push({ step: fact.value.step, kind: "change", text: "settings changed" });
    } else if (fact.case === "runResumed") {
      flags.push({ step: fact.value.step, kind: "resume", text: "resumed from a checkpoint" });
    } else if (fact.case === "stepDiffered") {
      const { step } = fact.value;
      flags.push({ step, kind: "differs", text: "made again with another outcome" });
    }
  }
  if (best) {
    flags.push({ ...best, kind: "best", text: `best validation loss, ${formatLoss(best.loss)}` });
  }
  return flags.sort((a, b) => a.step - b.step);
}

/** The flags of a step, as the rail says them. */
export function sayFlags(flags: readonly Flag[], step: number): string {
  const here = flags.filter((flag) => flag.step === step).map(({ text }) => text);
  return here.length === 0 ? "" : `step ${formatCount(step)}: ${here.join("; ")}`;
}

function idOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
