// The loss its maker sketched before the run, as a line beside what came, and how far off it was.
import type { Columns } from "@/charts/line/columns";
import type { LossPrediction } from "@/gen/lab/v1/run_pb";
import { placeOfStep, type Axis } from "./axis";
import type { StepSeries } from "./step-series";

/** Up to the newest step only: what is to come would squeeze what has been. */
export function predicted(prediction: LossPrediction, series: StepSeries, axis: Axis): Columns {
  const { steps } = prediction;
  const last = series.step;
  const known = steps.filter((step) => step <= last);
  // The line ends at the newest step, also between two points of the sketch.
  if (known.length > 0 && known.length < steps.length && known.at(-1) !== last) known.push(last);
  const x = Float64Array.from(known, (step) => placeOfStep(series, axis, step));
  const y = Float64Array.from(known, (step) => expectedAt(prediction, step));
  return { x, y, length: known.length };
}

/** Mean distance between the sketch and the training loss where both are, in nats; undefined where they do not meet. */
export function meanMiss(prediction: LossPrediction, series: StepSeries): number | undefined {
  const loss = series.column("loss");
  const [first = Infinity] = prediction.steps;
  const last = prediction.steps.at(-1) ?? -Infinity;
  let sum = 0;
  let count = 0;
  for (let i = 0; i < loss.length; i += 1) {
    const [step, value] = [loss.x[i] ?? 0, loss.y[i] ?? NaN];
    if (step < first || step > last || !Number.isFinite(value)) continue;
    sum += Math.abs(value - expectedAt(prediction, step));
    count += 1;
  }
  return count > 0 ? sum / count : undefined;
}

/** Between two points of the sketch on a straight line, outside the nearest. */
export function expectedAt({ steps, losses }: LossPrediction, step: number): number {
  const after = steps.findIndex((one) => one >= step);
  if (after === -1) return losses.at(-1) ?? NaN;
  const [x1 = 0, y1 = NaN] = [steps[after], losses[after]];
  if (after === 0 || x1 === step) return y1;
  const [x0 = 0, y0 = NaN] = [steps[after - 1], losses[after - 1]];
  return y0 + ((y1 - y0) * (step - x0)) / (x1 - x0);
}
