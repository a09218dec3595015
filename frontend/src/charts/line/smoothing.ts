// The bold line: an exponential moving average without its usual bias towards 0 at the start.
import type { Columns } from "./columns";

/**
 * average_i = weight * average_(i-1) + (1 - weight) * y_i, divided by 1 - weight^i so that the first points are not pulled
 * to 0. Values that are not finite are left out: they change nothing and the line is broken there.
 */
export function debiasedAverage(columns: Columns, weight: number): Columns {
  const { x, y, length } = columns;
  const smooth = new Float64Array(length);
  let average = 0;
  let decayed = 1;
  for (let i = 0; i < length; i += 1) {
    const value = y[i] ?? NaN;
    if (Number.isFinite(value)) {
      average = weight * average + (1 - weight) * value;
      decayed *= weight;
      smooth[i] = average / (1 - decayed);
    } else {
      smooth[i] = NaN;
    }
  }
  return { x, y: smooth, length };
}
