"""Steps that are made again after a resume have to give what was recorded the first time.

If one does not, the promise of equal bits is broken, and the run says so: with the step, and with
both numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import apsw

from lab.v1.event_pb2 import EvaluationCompleted, StepMeasured
from lab.v1.run_pb2 import StepDiffered

MOST: Final = 100_000  # steps that are remembered

_STEPS: Final = "SELECT step, loss, grad_norm, learning_rate FROM steps WHERE step > ? LIMIT ?"
_EVALUATIONS: Final = "SELECT step, loss FROM evaluations WHERE step > ? LIMIT ?"


@dataclass
class Recorded:
    """What is known of the steps after the one a run goes on from."""

    steps: dict[int, Mapping[str, float | None]] = field(default_factory=dict)
    evaluations: dict[int, float | None] = field(default_factory=dict)

    def compare_step(self, step: StepMeasured) -> StepDiffered | None:
        """The difference, if there is one. With another learning rate it is another step, because
        somebody changed it; from there on nothing is the same."""
        before = self.steps.pop(step.step, None)
        if before is None:
            return None
        if not _same(before["learning_rate"], step.learning_rate):
            self.forget()
            return None
        for metric in ("loss", "grad_norm"):
            if not _same(before[metric], getattr(step, metric)):
                return self._differed(step.step, metric, before[metric], getattr(step, metric))
        return None

    def compare_evaluation(self, evaluation: EvaluationCompleted) -> StepDiffered | None:
        if evaluation.step not in self.evaluations:
            return None
        before = self.evaluations.pop(evaluation.step)
        if _same(before, evaluation.loss):
            return None
        return self._differed(evaluation.step, "validation_loss", before, evaluation.loss)

    def forget(self) -> None:
        self.steps.clear()
        self.evaluations.clear()

    def _differed(self, step: int, metric: str, before: float | None, now: float) -> StepDiffered:
        """The first difference is told; those that follow from it are not."""
        self.forget()
        recorded = math.nan if before is None else before
        return StepDiffered(step=step, metric=metric, recorded=recorded, recomputed=now)


def read_recorded(connection: apsw.Connection, *, after_step: int) -> Recorded:
    """Blocks; call it in a thread."""
    rows: Any = connection.execute(_STEPS, (after_step, MOST))
    steps: dict[int, Mapping[str, float | None]] = {
        step: {"loss": loss, "grad_norm": norm, "learning_rate": rate}
        for step, loss, norm, rate in rows
    }
    pairs: Any = connection.execute(_EVALUATIONS, (after_step, MOST))
    return Recorded(steps, dict(pairs))


def _same(before: float | None, now: float) -> bool:
    """SQLite keeps a NaN as NULL."""
    if before is None or math.isnan(now):
        return before is None and math.isnan(now)
    return before == now
