// What happened to the run, newest first: its states, its checkpoints, and what the worker wrote.
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { useQuery } from "@tanstack/react-query";
import { LogLevel, type Event, type SettingsChanged } from "@/gen/lab/v1/event_pb";
import { SpikeKind, type SpikeFlagged } from "@/gen/lab/v1/recording_pb";
import { RunState, type LiveSettings } from "@/gen/lab/v1/run_pb";
import { formatBytes, formatCount, formatNumber } from "@/lib/format";
import { useChannel } from "@/live/use-channel";
import { EmptyState } from "@/ui/empty-state";
import { Panel } from "@/ui/panel";
import { eventList } from "./event-lists";
import { factsQuery } from "./facts-query";
import { saysMore } from "./says-more";
import styles from "./facts-panel.module.css";

interface Told {
  level: "info" | "warning" | "error";
  step: number;
  text: string;
}

const LEVELS = {
  [LogLevel.UNSPECIFIED]: "info",
  [LogLevel.INFO]: "info",
  [LogLevel.WARNING]: "warning",
  [LogLevel.ERROR]: "error",
} as const;

export function FactsPanel({
  run,
  changes,
}: {
  run: string;
  /** Changes whenever the run changed its state or got a checkpoint: then its facts are asked for anew. */
  changes: string;
}) {
  const { state: logs } = useChannel(`${run}/logs`, eventList);
  const facts = useQuery(factsQuery(run, changes));
  const lines = [...(logs ?? []), ...(facts.data ?? [])]
    .sort((a, b) => Number(b.sequence - a.sequence))
    .filter(saysMore)
    .flatMap((event) => {
      const told = tell(event);
      return told ? [{ ...told, event }] : [];
    });
  return (
    <Panel title="Log" flush className={styles["panel"] ?? ""}>
      {lines.length === 0 ? (
        <EmptyState title="Nothing to tell yet">
          What happens to this run is written down here.
        </EmptyState>
      ) : (
        <ol className={styles["list"]} data-testid="facts" tabIndex={0} aria-label="Log">
          {lines.map(({ event, level, step, text }) => (
            <li key={String(event.sequence)} data-level={level}>
              <span className={styles["when"]}>
                {event.time && timestampDate(event.time).toLocaleTimeString()}
              </span>
              <span className={styles["when"]}>step {formatCount(step)}</span>
              <span className={styles["text"]}>
                {level !== "info" && <strong>{level}: </strong>}
                {text}
              </span>
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}

function tell({ fact }: Event): Told | undefined {
  switch (fact.case) {
    case "logWritten":
      return { level: LEVELS[fact.value.level], step: fact.value.step, text: fact.value.text };
    case "spikeFlagged":
      return { level: "warning", step: fact.value.step, text: tellSpike(fact.value) };
    case "settingsChanged":
      return { level: "info", step: fact.value.step, text: tellSettings(fact.value) };
    case "checkpointCommitted": {
      const text = `checkpoint saved, ${formatBytes(fact.value.sizeBytes)}`;
      return { level: "info", step: fact.value.step, text };
    }
    case "runStateChanged": {
      const { run } = fact.value;
      if (!run) return undefined;
      const failed = run.state === RunState.FAILED || run.state === RunState.INTERRUPTED;
      const name = RunState[run.state].toLowerCase();
      return {
        level: failed ? "error" : "info",
        step: run.stats?.step ?? 0,
        text: run.stateReason === "" ? name : `${name}: ${run.stateReason}`,
      };
    }
    default:
      return undefined;
  }
}

function tellSettings({ live }: SettingsChanged): string {
  const told = [
    live?.learningRateScale !== undefined && `learning rate × ${live.learningRateScale}`,
    live?.sampleEvery !== undefined && `samples every ${formatCount(live.sampleEvery)} steps`,
    live?.samplePrompts && `${formatCount(live.samplePrompts.prompts.length)} prompts`,
    live && savingChanged(live) && "when it is saved",
  ];
  return `changed: ${told.filter(Boolean).join(", ") || "settings"}`;
}

function savingChanged(live: LiveSettings): boolean {
  const policy = [
    live.checkpointEvery,
    live.checkpointMinutes,
    live.checkpointLogSpaced,
    live.checkpointBest,
    live.checkpointOnStop,
    live.checkpointWeightsOnly,
  ];
  return policy.some((value) => value !== undefined);
}

function tellSpike({ kind, value, median, z, firstTensor }: SpikeFlagged): string {
  if (kind === SpikeKind.NON_FINITE) {
    const where = firstTensor === "" ? "" : `, first seen in ${firstTensor}`;
    return `the loss or the gradient was no number${where}; the step was not applied`;
  }
  const what = kind === SpikeKind.LOSS ? "loss" : "gradient norm";
  return `${what} ${formatNumber(value)}, usually ${formatNumber(median)} (${formatNumber(z)} deviations out)`;
}
