// Several runs in one chart: what is compared, and the lines that show it.
import type { Columns } from "@/charts/line/columns";
import type { Line } from "@/charts/line/draw";
import type { LineSource } from "@/charts/line/painter";
import {
  formatBytes,
  formatCount,
  formatLearningRate,
  formatLoss,
  formatNumber,
  formatTick,
} from "@/lib/format";
import { alongAxis, type Axis } from "./axis";
import type { Column } from "./column";
import { difference } from "./difference";
import { DEFINITIONS } from "./lesson";
import { smoothed } from "./smoothed";
import { onEither } from "./sources";
import type { StepMeans } from "./step-means";
import type { Metric, StepSeries } from "./step-series";

export interface ComparedMetric {
  metric: Metric;
  label: string;
  /** What it is, how it is computed and what to look for. */
  definition: string;
  format: (y: number) => string;
  formatTick: (y: number, distance: number) => string;
  tickFactor: number;
}

const plain = (
  metric: Metric,
  label: string,
  definition: string,
  format: (y: number) => string,
): ComparedMetric => ({
  metric,
  label,
  definition,
  format,
  formatTick: format,
  tickFactor: 1,
});

export const COMPARED_METRICS: readonly ComparedMetric[] = [
  { ...plain("loss", "Training loss", DEFINITIONS.loss, formatLoss), formatTick },
  {
    ...plain("validation_loss", "Validation loss", DEFINITIONS.validation, formatLoss),
    formatTick,
  },
  plain("grad_norm", "Gradient norm", DEFINITIONS.gradNorm, formatNumber),
  plain("learning_rate", "Learning rate", DEFINITIONS.learningRate, formatLearningRate),
  plain("tokens_per_sec", "Tokens/s", DEFINITIONS.speed, formatCount),
  {
    ...plain("memory_bytes", "Memory", DEFINITIONS.memory, formatBytes),
    tickFactor: 1 / (1024 * 1024),
  },
];

export interface ComparedCurve {
  /** "runs/{run}" */
  name: string;
  label: string;
  color: `--${string}`;
  /** Set when an earlier run has the same colour. */
  dash: readonly number[];
  series: StepSeries;
  /** Set where not every step is here, and the curve is smoothed or drawn as one with others. */
  means?: StepMeans | undefined;
}

export interface ComparedView {
  metric: Metric;
  axis: Axis;
  smoothing: number;
  /** The run that is looked at; others are pale. */
  lit: string | null;
}

// The learning rate is set, not measured, and evaluations are few: neither is noise to smooth.
const NEVER_SMOOTHED = new Set<Metric>(["learning_rate", "validation_loss"]);

export function smoothingOf({ metric, smoothing }: ComparedView): number {
  return NEVER_SMOOTHED.has(metric) ? 0 : smoothing;
}

export function comparedSource(curves: readonly ComparedCurve[], view: ComparedView): LineSource {
  const weight = smoothingOf(view);
  return sourceOf(curves, () =>
    curves.flatMap((curve) => {
      const raw = rawOf(curve, view);
      const look = lookOf(curve, view);
      const bold: Line = { ...look, mark: "bold", columns: smoothOf(curve, view) };
      const faint: Line = { ...look, mark: "faint", columns: raw, untold: true, dash: [] };
      return weight > 0 ? [faint, bold] : [{ ...bold, columns: raw }];
    }),
  );
}

/** Every other run minus the baseline, smoothed as the chart above it. */
export function differenceSource(
  curves: readonly ComparedCurve[],
  baseline: ComparedCurve,
  view: ComparedView,
): LineSource {
  return sourceOf([...curves, baseline], () => {
    const base = smoothOf(baseline, view);
    return curves
      .filter((curve) => curve !== baseline)
      .map((curve) => ({
        ...lookOf(curve, view),
        mark: "bold",
        columns: difference(smoothOf(curve, view), base),
      }));
  });
}

function rawOf({ series }: ComparedCurve, { metric, axis }: ComparedView): Columns {
  return alongAxis(series, series.column(metric), axis);
}

/** Where the means of all recorded steps are here, they are what is smoothed: the points here are extremes then. */
export function wholeOf({ series, means }: ComparedCurve, { metric }: ComparedView): Column {
  return means?.of(metric) ?? series.column(metric);
}

export function smoothOf(curve: ComparedCurve, view: ComparedView): Columns {
  const column = wholeOf(curve, view);
  return smoothed(column, alongAxis(curve.series, column, view.axis), smoothingOf(view));
}

function lookOf({ name, label, color, dash }: ComparedCurve, { lit }: ComparedView) {
  return { name: label, color, dash, pale: lit !== null && lit !== name };
}

export function sourceOf(
  curves: readonly ComparedCurve[],
  lines: () => readonly Line[],
): LineSource {
  return {
    lines,
    onChange: (listener) => {
      const stops = curves.map(({ series, means }) => onEither(listener, series, means));
      return () => {
        for (const stop of stops) stop();
      };
    },
  };
}
