// The learning rate as a function of the step, for the preview: the twin of shared/lab/spec/schedule.py.
import { ScheduleShape, type RunSpec } from "@/gen/lab/v1/run_spec_pb";

/** Rate that step `step` (from 1) uses: linear warm-up to the peak, then the shape down to the floor. */
export function learningRate(spec: RunSpec, step: number): number {
  const peak = spec.optimizer?.learningRate ?? 0;
  const warmup = spec.schedule?.warmupSteps ?? 0;
  const floor = spec.schedule?.floor ?? 0;
  if (step <= warmup) return (peak * step) / warmup;
  return peak * (floor + (1 - floor) * shareLeft(spec, step, warmup));
}

/** How much of the way from the floor to the peak is left at a step after the warm-up. */
function shareLeft(spec: RunSpec, step: number, warmup: number): number {
  const shape = spec.schedule?.shape ?? ScheduleShape.CONSTANT;
  const steps = spec.budget?.steps ?? 0;
  if (shape === ScheduleShape.WSD) {
    const decay = Math.max(1, Math.floor(steps * (spec.schedule?.decayShare ?? 0) + 0.5));
    const stableEnd = Math.max(warmup, steps - decay);
    if (step <= stableEnd) return 1;
    return 1 - Math.sqrt(Math.min(1, (step - stableEnd) / (steps - stableEnd)));
  }
  // 0 right after the warm-up, 1 at the last step.
  const progress = Math.min(1, (step - warmup - 1) / Math.max(1, steps - warmup - 1));
  if (shape === ScheduleShape.COSINE) return (1 + Math.cos(Math.PI * progress)) / 2;
  return shape === ScheduleShape.LINEAR ? 1 - progress : 1;
}
