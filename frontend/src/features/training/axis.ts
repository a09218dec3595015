// What runs along the bottom of the charts: steps, tokens, time, or steps on a log scale.
import { formatCount, formatDuration, formatShort } from "@/lib/format";
import { roomFor, type Columns } from "@/charts/line/columns";
import type { Column } from "./column";
import type { StepSeries } from "./step-series";

export type Axis = "step" | "log" | "tokens" | "time";

export const AXES: readonly { value: Axis; label: string }[] = [
  { value: "step", label: "step" },
  { value: "log", label: "log step" },
  { value: "tokens", label: "tokens" },
  { value: "time", label: "time" },
];

export function formatAxis(axis: Axis, x: number): string {
  if (axis === "step") return formatCount(Math.round(x));
  if (axis === "log") return formatCount(Math.round(10 ** x)); // x is the logarithm: places are even in it
  return axis === "tokens" ? formatShort(Math.round(x)) : formatDuration(x);
}

function scaleOf(series: StepSeries, axis: "tokens" | "time"): Column {
  return series.column(axis === "tokens" ? "tokens" : "elapsed_secs");
}

const cache = new WeakMap<Column, { key: string; columns: Columns }>();

/** A metric with another x. Computed once per change of the data. */
export function alongAxis(series: StepSeries, column: Column, axis: Axis): Columns {
  if (axis === "step") return column;
  const scaleVersion = axis === "log" ? 0 : scaleOf(series, axis).version;
  const key = `${axis} ${column.version} ${scaleVersion}`;
  const known = cache.get(column);
  if (known?.key === key) return known.columns;
  const past = known?.key.startsWith(`${axis} `) ? known.columns.x : undefined;
  const x = roomFor(column.length, column.x.length, past);
  for (let i = 0; i < column.length; i += 1) x[i] = placeOfStep(series, axis, column.x[i] ?? 0);
  const columns = { x, y: column.y, length: column.length };
  cache.set(column, { key, columns });
  return columns;
}

/** Where a step lies on the axis. */
export function placeOfStep(series: StepSeries, axis: Axis, step: number): number {
  if (axis === "step") return step;
  if (axis === "log") return Math.log10(Math.max(1, step)); // step 0, before the first update, stands at 1
  return scaleOf(series, axis).at(step);
}

/** The step at a place of the axis, for asking the server for more detail. */
export function stepAt(series: StepSeries, axis: Axis, x: number): number {
  if (axis === "step") return x;
  if (axis === "log") return 10 ** x;
  const scale = scaleOf(series, axis);
  let low = 0;
  let high = scale.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((scale.y[middle] ?? 0) < x) low = middle + 1;
    else high = middle;
  }
  return scale.x[Math.min(low, scale.length - 1)] ?? 0;
}
