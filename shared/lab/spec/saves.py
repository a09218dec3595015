"""How many checkpoints a spec's saving policy will write: exactly where steps decide, and in words
where time or luck does. Counted, not walked through: a run may have a hundred million steps."""

import math
from dataclasses import dataclass

from lab.spec.saving import SavingPolicy, saving_policy
from lab.v1.run_pb2 import LiveSettings
from lab.v1.run_spec_pb2 import RunSpec


@dataclass(frozen=True)
class Saves:
    """`count` is the most there will be, as far as it can be told; `note` says what cannot."""

    count: int
    note: str
    mostly: str  # the setting that writes most of them; empty when there are none


def count_saves(spec: RunSpec, *, secs_per_step: float | None) -> Saves:
    """Saves at the same step are one. `secs_per_step` is of training, all in all; None when it was
    not measured."""
    steps, policy = spec.budget.steps, saving_policy(spec.hooks, LiveSettings())
    evaluate_every = spec.hooks.evaluate_every if policy.best else 0
    by_step = _union(steps, policy.every_steps, evaluate_every)
    powers = [1 << bit for bit in range(steps.bit_length())] if policy.log_spaced else []
    alone = [step for step in powers if not _hit(step, policy.every_steps, evaluate_every)]
    last_hit = _hit(steps, policy.every_steps, evaluate_every) or steps in powers
    # After the last step the validation loss is measured once more.
    last = not last_hit and (policy.on_stop or bool(evaluate_every))
    by_time = _by_time(steps, policy, secs_per_step)
    shares = {
        "hooks.checkpoint_every": steps // policy.every_steps if policy.every_steps else 0,
        "hooks.checkpoint_minutes": by_time,
        "hooks.checkpoint_best": steps // evaluate_every if evaluate_every else 0,
        "hooks.checkpoint_log_spaced": len(alone),
        "hooks.checkpoint_on_stop": int(policy.on_stop),
    }
    return Saves(
        count=by_step + len(alone) + last + by_time,
        note=_note(policy, evaluate_every, secs_per_step),
        mostly="" if policy.off else max(shares, key=lambda path: shares[path]),
    )


def _union(steps: int, first: int, second: int) -> int:
    """How many of the steps are a multiple of either; 0 has none."""
    count = sum(steps // every for every in (first, second) if every)
    return count - (steps // math.lcm(first, second) if first and second else 0)


def _hit(step: int, first: int, second: int) -> bool:
    return any(step % every == 0 for every in (first, second) if every)


def _by_time(steps: int, policy: SavingPolicy, secs_per_step: float | None) -> int:
    """Each save of the policy begins the minutes anew, so where saves by steps come sooner there
    is none by time; else the most there can be."""
    if not policy.every_secs or not secs_per_step:
        return 0
    apart = max(1, math.ceil(policy.every_secs / secs_per_step))
    if policy.every_steps and policy.every_steps <= apart:
        return 0
    return steps // apart


def _note(policy: SavingPolicy, evaluate_every: int, secs_per_step: float | None) -> str:
    said = []
    if policy.best:
        said.append(
            "at most: the best are counted as if every validation were better than all before"
            if evaluate_every
            else "no best: validation is off"
        )
    if policy.every_secs:
        minutes = f"those every {policy.every_secs / 60:g} minutes are"
        said.append(
            f"{minutes} counted by the measured time of a step"
            if secs_per_step
            else f"{minutes} not counted: no step was measured"
        )
    return "; ".join(said)
