"""Which checkpoints of a run a policy keeps, and why. Pure: decides, removes nothing."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from lab.errors import InvalidArgument
from lab.names import IMPORTS, holds_weights_only, run_id
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.checkpoint_service_pb2 import RetentionDecision, RetentionPolicy

MIN_LAST: Final = 2


def checked_run(run: str) -> str:
    """`run` if a policy may be applied to it; raises InvalidArgument."""
    if run_id(run) == IMPORTS:
        raise InvalidArgument.field(
            "run", "what was imported is no series of steps; delete imports one by one"
        )
    return run


def decide(checkpoints: Sequence[Checkpoint], policy: RetentionPolicy) -> list[RetentionDecision]:
    """One decision for each, newest step first. Raises InvalidArgument for a reckless policy.

    Those that hold weights only are judged by themselves: however many there are, they push out
    none of which the run can be resumed.
    """
    if policy.keep_last < MIN_LAST:
        raise InvalidArgument.field(
            "policy.keep_last",
            f"must be at least {MIN_LAST}, because the newest checkpoint may turn out damaged",
        )
    ordered = sorted(checkpoints, key=lambda each: (each.step, each.name), reverse=True)
    why: defaultdict[str, list[str]] = defaultdict(list)
    for weights_only in (False, True):
        alike = [each for each in ordered if holds_weights_only(each.name) == weights_only]
        _keep(alike, policy, why)
    return [
        RetentionDecision(
            checkpoint=each.name,
            step=each.step,
            size_bytes=each.size_bytes,
            kept_because=why[each.name],
        )
        for each in ordered
    ]


def _keep(
    ordered: Sequence[Checkpoint], policy: RetentionPolicy, why: defaultdict[str, list[str]]
) -> None:
    """Adds to each that stays why it does."""
    for checkpoint in ordered:
        if checkpoint.pinned:
            why[checkpoint.name].append("pinned")
    for checkpoint in ordered[: policy.keep_last]:
        why[checkpoint.name].append(f"last {policy.keep_last}")
    if policy.keep_best and (best := _best(ordered)) is not None:
        why[best.name].append("best")
    if policy.keep_every:
        for checkpoint in ordered:
            if checkpoint.step % policy.keep_every == 0:
                why[checkpoint.name].append(f"every {policy.keep_every}")
    if policy.log_spaced:
        for checkpoint in _first_of_each_octave(ordered):
            why[checkpoint.name].append("log-spaced")


def _best(ordered: Sequence[Checkpoint]) -> Checkpoint | None:
    """By validation where any was validated: a training loss is of one batch only."""
    for field in ("validation_loss", "loss"):
        known = [
            each for each in ordered if each.HasField(field) and math.isfinite(getattr(each, field))
        ]
        if known:
            return min(known, key=lambda each: (getattr(each, field), -each.step))
    return None


def _first_of_each_octave(ordered: Sequence[Checkpoint]) -> list[Checkpoint]:
    """The first at or after 1, 2, 4, 8 … steps. What is kept once is kept when asked again."""
    first: dict[int, Checkpoint] = {}
    for checkpoint in ordered:  # newest first, so the earliest of each octave stays
        first[checkpoint.step.bit_length()] = checkpoint
    return list(first.values())
