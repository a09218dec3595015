// The metrics of one run, outside React: a snapshot replaces, measured steps append, the same step again replaces.
import type { StepMeasured } from "@/gen/lab/v1/event_pb";
import type { SeriesSet } from "@/gen/lab/v1/series_pb";
import type { ChannelReducer } from "@/live/channel";
import { Column } from "./column";
import { thin } from "./thinning";

/** More points than this are drawn no better, only slower. The server has them all, for whoever zooms in. */
export const MOST_POINTS = 8_192;
const BUCKETS = 2_048;

export const METRICS = [
  "loss",
  "grad_norm",
  "learning_rate",
  "tokens_per_sec",
  "step_secs",
  "memory_bytes",
  "tokens",
  "elapsed_secs",
  "validation_loss",
] as const;
export type Metric = (typeof METRICS)[number];

function isMetric(name: string): name is Metric {
  return (METRICS as readonly string[]).includes(name);
}

export class StepSeries {
  /** Whether every recorded point is here; otherwise zooming in fetches more. */
  complete = true;
  private looked: readonly [number, number] | null = null;
  private roomUpTo = MOST_POINTS;
  private lastSequence = 0n;
  private readonly columns = new Map<Metric, Column>(METRICS.map((name) => [name, new Column()]));
  /** Those with a value at every step; evaluations are few, and come whole. */
  private readonly measured = METRICS.filter((name) => name !== "validation_loss").map((name) =>
    this.column(name),
  );
  private readonly listeners = new Set<() => void>();

  column(metric: Metric): Column {
    const column = this.columns.get(metric);
    if (!column) throw new Error(`no column for ${metric}`);
    return column;
  }

  get step(): number {
    return this.column("loss").lastStep ?? 0;
  }

  /** Steps that someone looks at closely are never thinned. */
  lookAt(steps: readonly [number, number] | null): void {
    this.looked = steps;
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** `sequence` is that of the fact within its run. */
  put(measured: StepMeasured, sequence: bigint): void {
    const { step } = measured;
    if (sequence > this.lastSequence) {
      // A newer fact of an earlier step: the run went on from a checkpoint, and what came after it never was.
      if (step < this.step) for (const column of this.columns.values()) column.cutAfter(step);
      this.lastSequence = sequence;
    }
    if (this.longest() >= this.roomUpTo) this.makeRoom();
    this.column("loss").put(step, measured.loss);
    this.column("grad_norm").put(step, measured.gradNorm);
    this.column("learning_rate").put(step, measured.learningRate);
    this.column("tokens_per_sec").put(step, measured.tokensPerSec);
    this.column("step_secs").put(step, measured.stepSecs);
    this.column("memory_bytes").put(step, Number(measured.memoryBytes));
    this.column("tokens").put(step, Number(measured.tokens));
    this.column("elapsed_secs").put(step, measured.elapsedSecs);
    this.changed();
  }

  replace(set: SeriesSet): void {
    for (const column of this.measured) column.replace([], []);
    this.complete = true;
    this.roomUpTo = MOST_POINTS;
    this.lastSequence = set.lastSequence;
    this.merge(set);
  }

  merge(set: SeriesSet): void {
    for (const series of set.series) {
      // Evaluations come whole and in order with the state of the run, see `evaluated`.
      if (!isMetric(series.name) || series.name === "validation_loss") continue;
      this.column(series.name).merge(series.steps, series.values);
      if (!series.complete) this.complete = false;
    }
    this.changed();
  }

  /** All evaluations of the run, as its own channel tells them. */
  evaluated(evaluations: readonly { step: number; loss: number }[]): void {
    this.column("validation_loss").replace(
      evaluations.map(({ step }) => step),
      evaluations.map(({ loss }) => loss),
    );
    this.changed();
  }

  private makeRoom(): void {
    for (const column of this.measured) thin(column, BUCKETS, this.looked);
    this.complete = false;
    // Where much is spared little is won: then not again at the next step.
    this.roomUpTo = Math.max(MOST_POINTS, this.longest() + BUCKETS);
  }

  // Thinned they differ in length, and one point more than MOST_POINTS would double a column's memory.
  private longest(): number {
    let most = 0;
    for (const { length } of this.measured) most = Math.max(most, length);
    return most;
  }

  private changed(): void {
    for (const listener of this.listeners) listener();
  }
}

/** The channel "runs/{run}/steps". The state is one object for ever, so points never wake React. */
export const stepSeries: ChannelReducer<StepSeries> = {
  initial: () => new StepSeries(),
  snapshot: (series, { state }) => {
    if (state.case === "series") series.replace(state.value);
    return series;
  },
  publication: (series, { payload }) => {
    if (payload.case !== "event") return series;
    const { fact, sequence } = payload.value;
    if (fact.case === "stepMeasured") series.put(fact.value, sequence);
    return series;
  },
  maxPoints: 4000,
};
