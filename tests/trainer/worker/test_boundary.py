"""What takes effect between two steps."""

from collections.abc import Sequence

import pytest

from lab.v1.run_pb2 import LiveSettings, SamplePrompts
from lab.v1.worker_pb2 import WorkerCommand, WorkerEvent
from services.trainer.worker.boundary import StepBoundary
from services.trainer.worker.control import Control
from services.trainer.worker.events import Telling
from services.trainer.worker.hooks.checkpoints import Checkpoints
from services.trainer.worker.step import training_step
from services.trainer.worker.training import Training


def of(told: Sequence[WorkerEvent], kind: str) -> list[WorkerEvent]:
    return [event for event in told if event.WhichOneof("event") == kind]


def test_live_settings_hold_from_the_next_step_on(training: Training) -> None:
    told: list[WorkerEvent] = []
    control = Control()
    boundary = StepBoundary(control, Checkpoints(Telling(told.append), control), told.append)
    training_step(training)
    spec = training.spec
    spec.schedule.warmup_steps = 0
    spec.schedule.floor = 1.0  # a flat rate, so that only the scale can change it
    plain = training_step(training).learning_rate

    live = LiveSettings(
        learning_rate_scale=0.5, sample_every=1, sample_prompts=SamplePrompts(prompts=["To be"])
    )
    control.obey(WorkerCommand(adjust=live))
    assert boundary.cross(training) is None
    assert training_step(training).learning_rate == pytest.approx(plain * 0.5)
    [changed] = of(told, "settings_changed")
    assert changed.settings_changed.step == 2
    assert changed.settings_changed.live == live
    assert (training.sample_every, list(training.sample_prompts)) == (1, ["To be"])

    assert boundary.cross(training) is None
    assert len(of(told, "settings_changed")) == 1  # obeyed once
    assert training_step(training).learning_rate == pytest.approx(plain * 0.5)
