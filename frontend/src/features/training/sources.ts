// What the charts draw, taken from the series of a run.
import type { Line } from "@/charts/line/draw";
import type { LineSource } from "@/charts/line/painter";
import { alongAxis, type Axis } from "./axis";
import { smoothed } from "./smoothed";
import type { Metric, StepSeries } from "./step-series";

/** Training loss raw and smoothed, validation loss as points. */
export function lossSource(series: StepSeries, axis: Axis, smoothing: number): LineSource {
  return {
    onChange: (listener) => series.onChange(listener),
    lines: () => {
      const column = series.column("loss");
      const loss = alongAxis(series, column, axis);
      const lines: Line[] = [
        { name: "train", color: "--train", mark: smoothing > 0 ? "faint" : "bold", columns: loss },
      ];
      if (smoothing > 0) {
        const columns = smoothed(column, loss, smoothing);
        lines.push({ name: "train, smoothed", color: "--train", mark: "bold", columns });
      }
      const validation = alongAxis(series, series.column("validation_loss"), axis);
      lines.push({
        name: "validation",
        color: "--validation",
        mark: "points",
        columns: validation,
      });
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
