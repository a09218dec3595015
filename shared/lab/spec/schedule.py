"""The learning rate: a pure function of the spec and the step.

The new-run form and the run page draw the same curve; frontend/src/api/schedule.ts is its twin, and
schedule-points.json beside it holds the points that both must meet.
"""

import math

from lab.v1 import run_spec_pb2
from lab.v1.run_spec_pb2 import RunSpec


def learning_rate(spec: RunSpec, step: int) -> float:
    """The learning rate of the update that makes step `step`, from 1.

    The warm-up is there because AdamW's first estimates of the gradients' sizes rest on a few
    batches. After it the rate falls, so that late steps refine rather than jump about.
    """
    peak, schedule = spec.optimizer.learning_rate, spec.schedule
    if step <= schedule.warmup_steps:
        return peak * step / schedule.warmup_steps
    return peak * (schedule.floor + (1 - schedule.floor) * _share(spec, step))


def decay_steps(spec: RunSpec) -> int:
    """Steps over which a WSD schedule falls; at least one."""
    return max(1, math.floor(spec.budget.steps * spec.schedule.decay_share + 0.5))


def _share(spec: RunSpec, step: int) -> float:
    """How much of the way from the floor to the peak is left at a step after the warm-up."""
    shape, last, warmup = spec.schedule.shape, spec.budget.steps, spec.schedule.warmup_steps
    if shape == run_spec_pb2.SCHEDULE_SHAPE_WSD:
        # The last step at the peak; the floor is reached at the last step.
        stable_end = max(warmup, last - decay_steps(spec))
        if step <= stable_end:
            return 1.0
        # Falling by 1 - sqrt ends lower than a straight line (Hägele et al., arXiv 2405.18392).
        return 1 - math.sqrt(min(1.0, (step - stable_end) / (last - stable_end)))
    # 0 right after the warm-up, 1 at the last step.
    progress = min(1.0, (step - warmup - 1) / max(1, last - warmup - 1))
    if shape == run_spec_pb2.SCHEDULE_SHAPE_COSINE:
        return (1 + math.cos(math.pi * progress)) / 2
    if shape == run_spec_pb2.SCHEDULE_SHAPE_LINEAR:
        return 1 - progress
    return 1.0
