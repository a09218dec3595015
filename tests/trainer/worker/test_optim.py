"""The learning rate's curve, and which parameters decay."""

import pytest
import torch

from lab.v1 import run_spec_pb2
from lab.v1.run_spec_pb2 import RunSpec
from services.trainer.worker.optim import learning_rate
from services.trainer.worker.training import Training

COSINE = run_spec_pb2.SCHEDULE_SHAPE_COSINE
LINEAR = run_spec_pb2.SCHEDULE_SHAPE_LINEAR
CONSTANT = run_spec_pb2.SCHEDULE_SHAPE_CONSTANT


def made(shape: "run_spec_pb2.ScheduleShape.ValueType", *, warmup: int, steps: int) -> RunSpec:
    spec = RunSpec()
    spec.optimizer.learning_rate = 1.0
    spec.schedule.shape, spec.schedule.warmup_steps, spec.schedule.floor = shape, warmup, 0.1
    spec.budget.steps = steps
    return spec


@pytest.mark.parametrize(
    ("shape", "step", "expected"),
    [
        (COSINE, 1, 0.25),
        (COSINE, 4, 1.0),
        (COSINE, 5, 1.0),
        (COSINE, 10, 0.55),
        (COSINE, 15, 0.1),
        (LINEAR, 10, 0.55),
        (LINEAR, 15, 0.1),
        (CONSTANT, 2, 0.5),
        (CONSTANT, 15, 1.0),
    ],
)
def test_the_curve(
    shape: "run_spec_pb2.ScheduleShape.ValueType", step: int, expected: float
) -> None:
    spec = made(shape, warmup=4, steps=15)
    assert learning_rate(spec, step) == pytest.approx(expected)


def test_it_rises_to_the_peak_and_never_rises_again() -> None:
    rates = [learning_rate(made(COSINE, warmup=5, steps=40), step) for step in range(1, 41)]
    assert rates[:5] == sorted(rates[:5])
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert max(rates) == 1.0
    assert min(rates[5:]) == pytest.approx(0.1)


@pytest.mark.parametrize(("warmup", "steps"), [(0, 1), (1, 1), (3, 3), (0, 2)])
def test_the_shortest_runs_have_a_rate(warmup: int, steps: int) -> None:
    rates = [learning_rate(made(COSINE, warmup=warmup, steps=steps), s + 1) for s in range(steps)]
    assert all(0 < rate <= 1 for rate in rates)


def test_only_matrices_and_embeddings_decay(training: Training) -> None:
    decayed, others = training.optimizer.param_groups
    assert decayed["weight_decay"] == pytest.approx(0.1)
    assert others["weight_decay"] == 0.0
    assert all(parameter.dim() >= 2 for parameter in decayed["params"])
    assert all(parameter.dim() == 1 for parameter in others["params"])
    grouped = decayed["params"] + others["params"]
    assert {id(p) for p in grouped} == {id(p) for p in training.model.parameters()}
    assert torch.is_tensor(training.optimizer.state[grouped[0]]["exp_avg"])
