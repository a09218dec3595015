// What a rail shows.
import type { Columns } from "@/charts/line/columns";
import type { Flag, Stop } from "./stops";

/** The loss of the run, which changes without waking React. */
export interface LossSource {
  readonly step: number;
  column(metric: "loss"): Columns;
  onChange(listener: () => void): () => void;
}

export interface Rail {
  readonly stops: readonly Stop[];
  readonly flags: readonly Flag[];
  readonly series: LossSource;
}
