// What the run would take, told before it starts: sizes of the resolved spec, times that were measured, memory, disk.
import type { ReactNode } from "react";
import { TimingSource, type Preflight } from "@/gen/lab/v1/preflight_pb";
import type { Run } from "@/gen/lab/v1/run_pb";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatNumber,
  formatParameters,
  formatShort,
  formatStepTime,
} from "@/lib/format";
import { Explained } from "@/ui/explained";
import { Panel } from "@/ui/panel";
import { ParameterBreakdown } from "./parameter-breakdown";
import styles from "./preflight-panel.module.css";
import { PreflightProblems } from "./preflight-problems";
import { SchedulePreview } from "./schedule-preview";

interface Row {
  name: string;
  value: ReactNode;
  definition: string;
}

export function PreflightPanel({
  run,
  preflight,
  onFix,
}: {
  run: Run | undefined;
  preflight: Preflight | undefined;
  /** Applies a remedy, as in "budget.micro_batch=2". */
  onFix: (remedy: string) => void;
}) {
  return (
    <Panel title="What it would take">
      <PreflightProblems problems={preflight?.problems ?? []} onFix={onFix} />
      <dl className={styles["rows"]} data-testid="preflight">
        {rowsOf(run, preflight).map(({ name, value, definition }) => (
          <div key={name}>
            <dt>
              <Explained as={definition}>{name}</Explained>
            </dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <ParameterBreakdown parts={preflight?.parameterParts ?? []} />
      <SchedulePreview spec={run?.spec} />
    </Panel>
  );
}

function rowsOf(run: Run | undefined, preflight: Preflight | undefined): Row[] {
  const parameters = Number(preflight?.parameters ?? 0);
  const tokens = Number(preflight?.tokens ?? 0);
  return [
    {
      name: "Duration",
      value: <Time preflight={preflight} secs={preflight?.durationSecs} format={formatDuration} />,
      definition:
        "All steps, evaluations and samples, from real steps of this shape on this machine. The writing of checkpoints is left out.",
    },
    {
      name: "Step",
      value: (
        <>
          <Time preflight={preflight} secs={preflight?.stepSecs} format={formatStepTime} />
          <Doubt preflight={preflight} />
        </>
      ),
      definition:
        "The median of a few real steps, made by a short-lived process and never beside a run that trains.",
    },
    {
      name: "Steps",
      value: `${formatCount(preflight?.steps)} × ${formatCount(preflight?.tokensPerStep)} tokens`,
      definition: "Optimizer steps, and the tokens of each: batch × context.",
    },
    {
      name: "Tokens",
      value: `${formatShort(preflight?.tokens)}, ${preflight ? formatNumber(preflight.epochs) : "–"} epochs of ${formatShort(run?.stats?.corpusTokens)}`,
      definition:
        "Everything it reads: steps × tokens per step. An epoch is one pass over the training part of the corpus.",
    },
    {
      name: "Tokens per parameter",
      value: parameters > 0 ? formatNumber(tokens / parameters) : "–",
      definition:
        "About 20 makes the best model for the arithmetic spent, by the Chinchilla study (Hoffmann et al. 2022); less leaves it undertrained.",
    },
    {
      name: "Memory",
      value: `${formatBytes(preflight?.memoryBytes)} of ${formatBytes(preflight?.memoryAvailableBytes || undefined)} free`,
      definition: memoryDefinition(preflight),
    },
    {
      name: "Disk",
      value:
        preflight?.checkpoints === 0
          ? preflight.checkpointsNote
            ? `${formatBytes(preflight.checkpointBytes)} a save`
            : "nothing is saved"
          : `${formatBytes(preflight?.diskBytes)} of ${formatBytes(preflight?.diskFreeBytes)} free`,
      definition: diskDefinition(preflight),
    },
    {
      name: "Validation",
      value: preflight
        ? `${formatCount(preflight.evaluations)} × ${formatCount(preflight.validationBatches)} batches`
        : "–",
      definition:
        "Evaluations in the whole run, and the batches of text kept aside that each reads: always the same ones.",
    },
    {
      name: "Parameters",
      value: formatParameters(preflight?.parameters),
      definition: "Every number the run learns, each counted once; drawn below.",
    },
  ];
}

function diskDefinition(preflight: Preflight | undefined): string {
  if (!preflight || (preflight.checkpoints === 0 && !preflight.checkpointsNote))
    return "Checkpoints are off by default. Metrics take a few hundred bytes a step.";
  const all = `${formatCount(preflight.checkpoints)} checkpoints of ${formatBytes(preflight.checkpointBytes)} each, and one on its way. None is removed before you say so`;
  return preflight.checkpointsNote ? `${all}; ${preflight.checkpointsNote}.` : `${all}.`;
}

function memoryDefinition(preflight: Preflight | undefined): string {
  const parts = (preflight?.memoryParts ?? []).map(
    ({ name, bytes }) => `${name} ${formatBytes(bytes)}`,
  );
  const source =
    preflight?.stepSecs !== undefined
      ? "The most the measured process had."
      : "Estimated from the shape.";
  return parts.length > 0 ? `${source} Made of: ${parts.join(", ")}.` : source;
}

/** Why the times that are there may be too long. */
function Doubt({ preflight }: { preflight: Preflight | undefined }) {
  if (!preflight?.timingNote || preflight.stepSecs === undefined) return null;
  const again = preflight.timing === TimingSource.MEASURING ? "; being measured again" : "";
  return <span className={styles["waiting"]}>{`, ${preflight.timingNote}${again}`}</span>;
}

function Time({
  preflight,
  secs,
  format,
}: {
  preflight: Preflight | undefined;
  secs: number | undefined;
  format: (secs: number) => string;
}) {
  if (secs !== undefined) return <span data-testid="preflight-time">{format(secs)}</span>;
  if (preflight?.timing === TimingSource.MEASURING) {
    return <span className={styles["waiting"]}>being measured</span>;
  }
  if (preflight === undefined) return "–";
  return (
    <span className={styles["waiting"]} title={preflight.timingNote}>
      {preflight.timingNote || "not measured"}
    </span>
  );
}
