// The learning rate as a function of the step, as the trainer computes it, for the preview.
import { ScheduleShape, type RunSpec } from "@/gen/lab/v1/run_spec_pb";

/** Rate that step `step` (from 1) uses: linear warm-up to the peak, then the shape down to the floor. */
export function learningRate(spec: RunSpec, step: number): number {
  const peak = spec.optimizer?.learningRate ?? 0;
  const steps = spec.budget?.steps ?? 0;
  const warmup = spec.schedule?.warmupSteps ?? 0;
  const floor = spec.schedule?.floor ?? 0;
  if (step <= warmup) return (peak * step) / warmup;
  const shape = spec.schedule?.shape ?? ScheduleShape.CONSTANT;
  const share = Math.min(1, (step - warmup) / Math.max(1, steps - warmup));
  if (shape === ScheduleShape.COSINE) {
    return peak * (floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * share)));
  }
  if (shape === ScheduleShape.LINEAR) return peak * (1 - (1 - floor) * share);
  return peak;
}
