// The learning rate as a function of the step, as the trainer computes it, for the preview.
import { ScheduleShape, type RunSpec } from "@/gen/lab/v1/run_spec_pb";

/** Rate that step `step` (from 1) uses: linear warm-up to the peak, then the shape down to the floor. */
export function learningRate(spec: RunSpec, step: number): number {
  const peak = spec.optimizer?.learningRate ?? 0;
  const steps = spec.budget?.steps ?? 0;
  const warmup = spec.schedule?.warmupSteps ?? 0;
  const floor = spec.schedule?.floor ?? 0;
  if (step <= warmup) return (peak * step) / warmup;
  // 0 right after the warm-up, 1 at the last step.
  const progress = Math.min(1, (step - warmup - 1) / Math.max(1, steps - warmup - 1));
  const shape = spec.schedule?.shape ?? ScheduleShape.CONSTANT;
  let share = 1;
  if (shape === ScheduleShape.COSINE) share = (1 + Math.cos(Math.PI * progress)) / 2;
  else if (shape === ScheduleShape.LINEAR) share = 1 - progress;
  return peak * (floor + (1 - floor) * share);
}
