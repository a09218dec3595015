"""How fast a run is: of its steps alone, each in one interval, against what the machine can do."""

import pytest
import torch

from lab.spec import load_presets
from lab.v1.recording_pb2 import IntervalMeasured
from lab.v1.worker_pb2 import WorkerEvent
from services.trainer.worker.hooks import Step
from services.trainer.worker.hooks.intervals import CEILING_AFTER_STEPS, INTERVAL_SECS, Intervals
from services.trainer.worker.recording.ceiling import flops_per_token, measure_ceiling
from services.trainer.worker.step import StepResult
from services.trainer.worker.training import Training

NOTHING = StepResult(torch.zeros(3), torch.zeros(4), learning_rate=0.1)


class Told:
    """Intervals, on a clock that the test moves."""

    def __init__(self, training: Training) -> None:
        self.now = 100.0
        self.events: list[WorkerEvent] = []
        self.training = training
        self.hook = Intervals(self.events.append, now=lambda: self.now)
        self.hook.on_start(training)

    def step(self, secs: float, *, beside: float = 0.0, waited: float = 0.0) -> None:
        self.now += secs + beside
        self.training.step += 1
        self.training.batches.read_secs += waited
        self.hook.after_step(self.training, Step(NOTHING, secs=secs))

    @property
    def intervals(self) -> list[IntervalMeasured]:
        return [event.interval_measured for event in self.events]


def test_what_a_run_does_beside_its_steps_does_not_slow_its_numbers(training: Training) -> None:
    told = Told(training)
    for _ in range(9):
        told.step(0.1, beside=0.4, waited=0.01)
    told.step(0.6, beside=9.0)
    (measured,) = told.intervals
    assert (measured.step, measured.steps) == (10, 10)
    assert measured.tokens_per_sec == pytest.approx(10 * training.batch_tokens / 1.5)
    assert measured.step_secs_p50 == pytest.approx(0.1)
    assert 0.1 < measured.step_secs_p95 < 0.6
    assert measured.data_wait_share == pytest.approx(0.09 / 1.5)
    assert 0 < measured.memory_bytes < measured.memory_total_bytes
    assert not measured.HasField("gpu_total_bytes")


def test_each_step_is_in_one_interval_and_the_last_are_told_at_the_end(training: Training) -> None:
    told = Told(training)
    for _ in range(7):
        told.step(INTERVAL_SECS / 2)
    told.hook.on_end(training)
    told.hook.on_end(training)
    assert [(each.step, each.steps) for each in told.intervals] == [(2, 2), (4, 2), (6, 2), (7, 1)]


def test_the_ceiling_is_measured_once_and_later_than_the_first_steps(training: Training) -> None:
    told = Told(training)
    for _ in range(CEILING_AFTER_STEPS + 2):
        told.step(INTERVAL_SECS)
    known = [each.HasField("ceiling_share") for each in told.intervals]
    assert known == [False] * (CEILING_AFTER_STEPS - 1) + [True] * 3
    ceilings = {each.ceiling_flops_per_sec for each in told.intervals[CEILING_AFTER_STEPS - 1 :]}
    assert len(ceilings) == 1
    newest = told.intervals[-1]
    needed = newest.tokens_per_sec * flops_per_token(training.spec.model)
    assert newest.ceiling_share == pytest.approx(needed / newest.ceiling_flops_per_sec)


def test_the_ceiling_is_a_rate_that_this_machine_reaches(training: Training) -> None:
    """Between what any processor does and what none does."""
    assert 1e7 < measure_ceiling(training) < 1e16


@pytest.mark.parametrize(
    ("preset", "millions"), [("nano", 62.3), ("small", 330.6), ("medium", 854.4)]
)
def test_operations_are_counted_as_the_papers_count_them(preset: str, millions: float) -> None:
    model = load_presets()[preset].spec.model
    assert flops_per_token(model) / 1e6 == pytest.approx(millions, rel=1e-3)
