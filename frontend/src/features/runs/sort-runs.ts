// Filter and order of the runs table.
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Run } from "@/gen/lab/v1/run_pb";
import { runId, stateName } from "./state-name";

export type SortKey =
  | "run"
  | "state"
  | "tags"
  | "preset"
  | "corpus"
  | "progress"
  | "step"
  | "loss"
  | "validation"
  | "curve"
  | "best"
  | "speed"
  | "elapsed"
  | "parameters"
  | "rate"
  | "batch"
  | "age";

export interface Order {
  key: SortKey;
  descending: boolean;
}

type Value = string | number | undefined;

const VALUES: Record<SortKey, (run: Run) => Value> = {
  run: (run) => run.displayName || runId(run.name),
  state: (run) => stateName(run.state),
  preset: (run) => run.preset,
  corpus: (run) => run.spec?.data?.corpus,
  progress: (run) => (run.stats?.totalSteps ? run.stats.step / run.stats.totalSteps : 0),
  step: (run) => run.stats?.step,
  loss: (run) => run.stats?.loss,
  validation: (run) => run.stats?.validationLoss,
  tags: (run) => run.tags.join(" ") || undefined,
  curve: (run) => run.stats?.loss,
  best: (run) => run.stats?.bestValidationLoss,
  elapsed: (run) => run.stats?.elapsedSecs,
  parameters: (run) => (run.stats ? Number(run.stats.parameters) : undefined),
  rate: (run) => run.spec?.optimizer?.learningRate,
  batch: (run) => run.spec?.budget?.batch,
  speed: (run) => run.stats?.tokensPerSec,
  age: (run) => (run.createTime ? -timestampMs(run.createTime) : undefined),
};

export function isSortKey(text: string): text is SortKey {
  return Object.hasOwn(VALUES, text);
}

/** Runs whose name, state, tags, preset or corpus holds every word of the filter. */
export function filterRuns(runs: readonly Run[], filter: string): Run[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  return runs.filter((run) => {
    const text = [
      run.displayName,
      runId(run.name),
      stateName(run.state),
      run.preset,
      run.spec?.data?.corpus ?? "",
      ...run.tags,
    ]
      .join(" ")
      .toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** Runs without a value come last in both directions; equal ones keep their order. */
export function sortRuns(runs: readonly Run[], { key, descending }: Order): Run[] {
  const value = VALUES[key];
  return [...runs].sort((left, right) => {
    const a = value(left);
    const b = value(right);
    const missingA = a === undefined || Number.isNaN(a);
    const missingB = b === undefined || Number.isNaN(b);
    if (missingA || missingB) return Number(missingA) - Number(missingB);
    const order =
      typeof a === "string" || typeof b === "string"
        ? String(a).localeCompare(String(b), "en", { numeric: true })
        : a - b;
    return descending ? -order : order;
  });
}
