// The moving average of a metric, computed once per change of the data and shared by all who draw it.
import type { Columns } from "@/charts/line/columns";
import { debiasedAverage } from "@/charts/line/smoothing";
import type { Column } from "./column";

interface Known {
  version: number;
  of: Columns;
  weight: number;
  before: Column | undefined;
  beforeVersion: number | undefined;
  smooth: Columns;
}

const cache = new WeakMap<Column, Known>();

/**
 * `columns` are the column's values along some axis. Weight 0 is the data itself. `before` is what a fork inherits: its
 * average goes on from there, or the curve would jump where the fork begins.
 */
export function smoothed(
  column: Column,
  columns: Columns,
  weight: number,
  before?: Column,
): Columns {
  if (weight === 0) return columns;
  const key = {
    version: column.version,
    of: columns,
    weight,
    before,
    beforeVersion: before?.version,
  };
  const known = cache.get(column);
  if (known && same(known, key)) return known.smooth;
  // The same curve a step ago is no longer needed; another one may still be held by whoever asked for it.
  const past = known?.weight === weight && known.before === before ? known.smooth.y : undefined;
  const { stepsEach } = column;
  const smooth = debiasedAverage(columns, weight, { before, stepsEach, room: past });
  cache.set(column, { ...key, smooth });
  return smooth;
}

function same(known: Known, key: Omit<Known, "smooth">): boolean {
  return (
    known.version === key.version &&
    known.of === key.of &&
    known.weight === key.weight &&
    known.before === key.before &&
    known.beforeVersion === key.beforeVersion
  );
}
