// What the charts draw, taken from the series of a run.
import type { Line } from "@/charts/line/draw";
import type { LineSource } from "@/charts/line/painter";
import type { LossPrediction, Run } from "@/gen/lab/v1/run_pb";
import { alongAxis, type Axis } from "./axis";
import { plannedRate } from "./plan";
import { predicted } from "./prediction";
import { smoothed } from "./smoothed";
import type { StepMeans } from "./step-means";
import type { Metric, StepSeries } from "./step-series";

/** Training loss raw and smoothed, validation loss as points, and what was predicted. `before` is what a fork inherits. */
export function lossSource(
  series: StepSeries,
  axis: Axis,
  smoothing: number,
  {
    prediction,
    before,
    means,
  }: {
    prediction?: LossPrediction | undefined;
    before?: StepSeries | undefined;
    /** Of all recorded steps, where not all of them are here. */
    means?: StepMeans | undefined;
  } = {},
): LineSource {
  return {
    onChange: (listener) => onEither(listener, series, means),
    lines: () => {
      const column = series.column("loss");
      const loss = alongAxis(series, column, axis);
      const lines: Line[] = [
        { name: "train", color: "--train", mark: smoothing > 0 ? "faint" : "bold", columns: loss },
      ];
      if (smoothing > 0) {
        const of = means?.of("loss") ?? column;
        const columns = smoothed(
          of,
          alongAxis(series, of, axis),
          smoothing,
          before?.column("loss"),
        );
        lines.push({ name: "train, smoothed", color: "--train", mark: "bold", columns });
      }
      const validation = alongAxis(series, series.column("validation_loss"), axis);
      lines.push({
        name: "validation",
        color: "--validation",
        mark: "points",
        columns: validation,
      });
      if (prediction) {
        const columns = predicted(prediction, series, axis);
        lines.push({ name: "predicted", color: "--ink-6", mark: "bold", dash: [6, 4], columns });
      }
      return lines;
    },
  };
}

/** One metric as one line. */
export function metricSource(
  series: StepSeries,
  metric: Metric,
  axis: Axis,
  name: string,
): LineSource {
  return {
    onChange: (listener) => series.onChange(listener),
    lines: () => [
      {
        name,
        color: "--train",
        mark: "bold",
        columns: alongAxis(series, series.column(metric), axis),
      },
    ],
  };
}

/** The learning rate as it was, and as it is planned to go on. */
export function rateSource(series: StepSeries, axis: Axis, run: Run): LineSource {
  const measured = metricSource(series, "learning_rate", axis, "so far");
  return {
    onChange: (listener) => measured.onChange(listener),
    lines: () => [
      ...measured.lines(),
      {
        name: "planned",
        color: "--train",
        mark: "bold",
        dash: [4, 4],
        pale: true,
        columns: plannedRate(run, series.step, axis),
      },
    ],
  };
}

/** Told when what is recorded changes, or the means of it. */
export function onEither(
  listener: () => void,
  series: StepSeries,
  means: StepMeans | undefined,
): () => void {
  const stops = [series.onChange(listener), means?.onChange(listener)];
  return () => {
    for (const stop of stops) stop?.();
  };
}
