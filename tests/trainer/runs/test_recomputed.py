"""A step that is made again and comes out differently is told, and so is what may be the reason."""

from __future__ import annotations

from typing import TypeAlias

import pytest

from lab.v1 import run_pb2
from lab.v1 import trainer_service_pb2 as messages
from lab.v1 import trainer_service_pb2_grpc as services
from lab.v1.event_pb2 import EvaluationCompleted, Event, StepMeasured
from services.trainer.runs.recomputed import Recorded
from tests.support.fake_checkpoint_service import FakeCheckpointService
from tests.support.fake_worker import FakeWorkers
from tests.support.trainer_service import create, everything_said, passes_step, reaches, tiny

Trainer: TypeAlias = "services.TrainerServiceAsyncStub"


async def resumed_after_a_kill(
    trainer: Trainer, workers: FakeWorkers, *, different: int | None = None
) -> int:
    """Answers the step of the checkpoint; so many steps later something comes out differently."""
    await create(trainer, "a", tiny(1_000_000))
    await passes_step(trainer, "a", 2)
    asked = messages.SnapshotRunRequest(name="runs/a")
    at = (await trainer.SnapshotRun(asked)).checkpoint.step
    last = (await passes_step(trainer, "a", at + 5)).stats.step
    workers.of("a").die(-9)
    await reaches(trainer, "a", run_pb2.RUN_STATE_INTERRUPTED)
    if different is not None:
        workers.other_from_step = at + different
    await trainer.ResumeRun(messages.ResumeRunRequest(name="runs/a"))
    await reaches(trainer, "a", run_pb2.RUN_STATE_RUNNING)
    await passes_step(trainer, "a", last + 3)
    return at


def of(said: list[Event], kind: str) -> list[Event]:
    return [event for event in said if event.WhichOneof("fact") == kind]


async def test_the_same_steps_again_are_no_news(trainer: Trainer, workers: FakeWorkers) -> None:
    await resumed_after_a_kill(trainer, workers)
    said = await everything_said(trainer, "a")
    made = [event.step_measured.step for event in of(said, "step_measured")]
    assert len(made) > len(set(made)), "no step was made again"
    assert not of(said, "step_differed")


async def test_the_first_different_step_is_told_with_both_numbers(
    trainer: Trainer, workers: FakeWorkers, checkpoints: FakeCheckpointService
) -> None:
    workers.inexact = ["threads: 1 before, 2 now"]
    at = await resumed_after_a_kill(trainer, workers, different=3)
    run = (await trainer.GetRun(messages.GetRunRequest(name="runs/a"))).run
    usual = 1.0 + 1.0 / (at + 3)
    assert (run.difference.step, run.difference.metric) == (at + 3, "loss")
    assert (run.difference.recorded, run.difference.recomputed) == (usual, usual + 1e-9)
    assert list(run.inexact_reasons) == ["threads: 1 before, 2 now"]
    said = await everything_said(trainer, "a")
    [differed] = of(said, "step_differed")
    assert differed.step_differed == run.difference
    [resumed] = of(said, "run_resumed")
    assert (resumed.run_resumed.step, resumed.run_resumed.restart) == (at, 0)
    assert list(resumed.run_resumed.inexact_reasons) == ["threads: 1 before, 2 now"]
    warned = [event.log_written.text for event in of(said, "log_written")]
    assert any("was made again" in text and "threads" in text for text in warned)

    await trainer.SnapshotRun(messages.SnapshotRunRequest(name="runs/a"))
    newest = max(checkpoints.kept.values(), key=lambda kept: kept[0].step)[0]
    assert list(newest.inexact_reasons) == ["threads: 1 before, 2 now"]


def test_a_changed_learning_rate_makes_other_steps_not_wrong_ones() -> None:
    before = {"loss": 2.0, "grad_norm": 1.0, "learning_rate": 0.1}
    recorded = Recorded({5: before, 6: before}, {6: 2.5})
    assert recorded.compare_step(StepMeasured(step=5, loss=9.0, learning_rate=0.2)) is None
    assert recorded.compare_step(StepMeasured(step=6, loss=9.0, learning_rate=0.1)) is None
    assert recorded.compare_evaluation(EvaluationCompleted(step=6, loss=9.0)) is None


@pytest.mark.parametrize(
    ("recorded", "now", "same"),
    [(2.0, 2.0, True), (2.0, 2.0000000000000004, False), (None, float("nan"), True)],
)
def test_numbers_are_compared_bit_for_bit(recorded: float | None, now: float, same: bool) -> None:
    found = Recorded({}, {6: recorded}).compare_evaluation(EvaluationCompleted(step=6, loss=now))
    assert (found is None) == same
