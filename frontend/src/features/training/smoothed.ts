// The moving average of a metric, computed once per change of the data and shared by all who draw it.
import type { Columns } from "@/charts/line/columns";
import { debiasedAverage } from "@/charts/line/smoothing";
import type { Column } from "./column";

interface Known {
  version: number;
  of: Columns;
  weight: number;
  smooth: Columns;
}

const cache = new WeakMap<Column, Known>();

/** `columns` are the column's values along some axis. Weight 0 is the data itself. */
export function smoothed(column: Column, columns: Columns, weight: number): Columns {
  if (weight === 0) return columns;
  const known = cache.get(column);
  if (known?.version === column.version && known.of === columns && known.weight === weight) {
    return known.smooth;
  }
  const smooth = debiasedAverage(columns, weight);
  cache.set(column, { version: column.version, of: columns, weight, smooth });
  return smooth;
}
