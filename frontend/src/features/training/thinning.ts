// Fewer points that look the same: of every bucket of steps the smallest and the largest value stay, so no spike is lost.
import type { Column } from "./column";

type Steps = readonly [number, number];

/**
 * Leaves at most two points per bucket, besides the first, the last and those that are no numbers, which are marked on the
 * axis one by one. Steps within `spared` keep all, because someone looks at them closely.
 */
export function thin(column: Column, buckets: number, spared: Steps | null): void {
  const { x, y, length } = column;
  const first = x[0] ?? 0;
  const width = ((x[length - 1] ?? 0) - first + 1) / buckets;
  let kept = 0;
  let bucket = -1;
  let low = -1; // places of the extremes of the bucket; -1 when it is empty
  let high = -1;
  const keep = (from: number) => {
    x[kept] = x[from] ?? 0; // never past the place that is read from
    y[kept] = y[from] ?? NaN;
    kept += 1;
  };
  const close = () => {
    if (low >= 0) keep(Math.min(low, high));
    if (low !== high) keep(Math.max(low, high));
    low = high = -1;
  };
  for (let i = 0; i < length; i += 1) {
    const step = x[i] ?? 0;
    const value = y[i] ?? NaN;
    const within = spared !== null && step >= spared[0] && step <= spared[1];
    if (within || i === 0 || i === length - 1 || !Number.isFinite(value)) {
      close();
      keep(i);
      continue;
    }
    const at = Math.floor((step - first) / width);
    if (at !== bucket) close();
    bucket = at;
    if (low < 0 || value < (y[low] ?? NaN)) low = i;
    if (high < 0 || value > (y[high] ?? NaN)) high = i;
  }
  close();
  column.length = kept;
  column.version += 1;
}
