// The bold line: an exponential moving average without its usual bias towards 0 at the start.
import { roomFor, type Columns } from "./columns";

/**
 * average_i = weight * average_(i-1) + (1 - weight) * y_i, divided by 1 - weight^i so that the first points are not pulled
 * to 0. Values that are not finite are left out: they change nothing and the line is broken there. `before` are points that
 * came earlier: the average goes on from them. `stepsEach`: how many steps each value is the mean of; it weighs as much as
 * they would, so that the curve is the same however many steps are put together. `room` is an average that is no longer
 * needed: its memory is used again.
 */
export function debiasedAverage(
  columns: Columns,
  weight: number,
  {
    before,
    stepsEach = 1,
    room,
  }: { before?: Columns | undefined; stepsEach?: number; room?: Float64Array | undefined } = {},
): Columns {
  const { x, y, length } = columns;
  const average = new Average(weight);
  if (before) for (let i = 0; i < before.length; i += 1) average.add(before.y[i] ?? NaN);
  const smooth = roomFor(length, y.length, room);
  average.weight = weight ** stepsEach;
  for (let i = 0; i < length; i += 1) smooth[i] = average.add(y[i] ?? NaN);
  return { x, y: smooth, length };
}

class Average {
  private average = 0;
  private decayed = 1;

  constructor(public weight: number) {}

  /** The average with the value; NaN for a value that is none. */
  add(value: number): number {
    if (!Number.isFinite(value)) return NaN;
    this.average = this.weight * this.average + (1 - this.weight) * value;
    this.decayed *= this.weight;
    return this.average / (1 - this.decayed);
  }
}
