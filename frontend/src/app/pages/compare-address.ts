// The address of a comparison: everything that is chosen on the page, so that a link shows the same.
import { AXES, type Axis } from "@/features/training/axis";
import { COMPARED_METRICS } from "@/features/training/compared";
import type { Metric } from "@/features/training/step-series";
import type { Stretch } from "@/charts/line/window";
import { readStretch, writeStretch } from "./run-address";

export interface CompareChoice {
  /** Ids without "runs/", each once. */
  runs: readonly string[];
  hidden: readonly string[];
  baseline: string | null;
  metric: Metric;
  axis: Axis;
  logY: boolean;
  smoothing: number;
  stretch: Stretch | null;
  /** What makes runs one group, drawn as a mean and a band. */
  group: Grouping;
}

export type Grouping = "none" | "seed" | "tags";

export const GROUPINGS: readonly { value: Grouping; label: string }[] = [
  { value: "none", label: "each run" },
  { value: "seed", label: "equal but for the seed" },
  { value: "tags", label: "equal tags" },
];

const FIRST_SMOOTHING = 0.9;
const MOST_SMOOTHING = 0.99;
export const MOST_COMPARED = 20; // more lines than this cannot be told apart, and each follows two channels

export function readCompare(address: URLSearchParams): CompareChoice {
  const list = (name: string) => [
    ...new Set((address.get(name) ?? "").split(",").filter((id) => /^[a-z0-9-]+$/.test(id))),
  ];
  const runs = list("runs").slice(0, MOST_COMPARED);
  const known = (id: string | null) => (id !== null && runs.includes(id) ? id : null);
  const axis = address.get("x");
  const metric = COMPARED_METRICS.find((one) => one.metric === address.get("y"))?.metric;
  const smoothing = Number(address.get("smooth") ?? FIRST_SMOOTHING);
  return {
    runs,
    hidden: list("hide").filter((id) => runs.includes(id)),
    baseline: known(address.get("base")),
    metric: metric ?? "loss",
    axis: AXES.find(({ value }) => value === axis)?.value ?? "step",
    logY: address.get("log") === "1",
    smoothing: smoothing >= 0 && smoothing <= MOST_SMOOTHING ? smoothing : FIRST_SMOOTHING,
    stretch: readStretch(address.get("zoom")),
    group: GROUPINGS.find(({ value }) => value === address.get("group"))?.value ?? "none",
  };
}

/** Leaves out what is as it is at first. */
export function writeCompare(choice: CompareChoice): string {
  const { runs, hidden, baseline, metric, axis, logY, smoothing, stretch, group } = choice;
  const parts = [
    `runs=${runs.join(",")}`,
    hidden.length > 0 && `hide=${hidden.join(",")}`,
    baseline !== null && `base=${baseline}`,
    metric !== "loss" && `y=${metric}`,
    axis !== "step" && `x=${axis}`,
    logY && "log=1",
    smoothing !== FIRST_SMOOTHING && `smooth=${smoothing}`,
    stretch && `zoom=${writeStretch(stretch)}`,
    group !== "none" && `group=${group}`,
  ];
  return parts.filter(Boolean).join("&");
}
