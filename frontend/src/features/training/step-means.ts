// The mean of one metric over every so many steps of a run, of all recorded steps: what smoothed curves, and several runs
// drawn as one, are made of once they are too long to be here whole. The extremes that are kept of a long run have another
// mean.
import type { Series } from "@/gen/lab/v1/series_pb";
import { Column } from "./column";
import type { Metric } from "./step-series";

/** Points across a chart; between this many and twice as many. */
const LEAST_POINTS = 512;

/** Which means: of a metric, from a step on, each over so many steps. */
export interface Cut {
  metric: Metric;
  from: number;
  steps: number;
}

export class StepMeans {
  private readonly column = new Column();
  private held: Cut | null = null;
  /** The first step that no mean holds yet. */
  private end = 0;
  private readonly listeners = new Set<() => void>();

  /** The means of a metric; undefined while they are not here. */
  of(metric: Metric): Column | undefined {
    return this.held?.metric === metric && this.column.length > 0 ? this.column : undefined;
  }

  /** What is still to be asked for, of whole buckets up to a step; null when all of it is here. */
  missing(wanted: Cut, to: number): readonly [number, number] | null {
    const { held } = this;
    const goesOn =
      held?.metric === wanted.metric && held.from === wanted.from && held.steps === wanted.steps;
    const from = goesOn ? this.end : wanted.from;
    const last = Math.floor((to + 1) / wanted.steps) * wanted.steps - 1;
    return last < from ? null : [from, last];
  }

  /** An answer to what was missing. */
  put(wanted: Cut, [from, last]: readonly [number, number], means: Series): void {
    if (from === wanted.from) this.column.replace(means.steps, means.values);
    else this.column.merge(means.steps, means.values);
    this.column.stepsEach = wanted.steps;
    this.held = wanted;
    this.end = last + 1;
    this.changed();
  }

  /** The run made its steps anew from an earlier one, or nobody asks any more. */
  forget(): void {
    if (this.held === null) return;
    this.held = null;
    this.end = 0;
    this.column.replace([], []);
    this.changed();
  }

  /** Whether a step lies before what is held, so that the run must have gone back. */
  isBefore(step: number): boolean {
    return this.held !== null && step + 1 < this.end;
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private changed(): void {
    for (const listener of this.listeners) listener();
  }
}

/** Buckets of a power of two, so that runs of about the same length have the same ones, and a live run seldom others. */
export function cutOf(metric: Metric, from: number, to: number): Cut {
  const steps = 2 ** Math.max(0, Math.floor(Math.log2((to - from + 1) / LEAST_POINTS)));
  return { metric, from: Math.floor(from / steps) * steps, steps };
}
