"""The training step on a GPU. Where there is none, none of this runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch

from lab.v1 import run_spec_pb2
from lab.v1.run_spec_pb2 import RunSpec
from lab.v1.worker_pb2 import StartTraining
from services.trainer.worker import optim
from services.trainer.worker import step as step_module
from services.trainer.worker.step import LOOK_EVERY, training_step
from services.trainer.worker.training import Training, build

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")

PRECISIONS = [run_spec_pb2.PRECISION_FP32, run_spec_pb2.PRECISION_BF16]


@pytest.fixture
def spec(spec: RunSpec) -> RunSpec:
    spec.budget.device = "cuda"
    return spec


@contextmanager
def no_waiting() -> Iterator[None]:
    """Whatever asks the device for a number raises."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def make(
    start: StartTraining, precision: "run_spec_pb2.Precision.ValueType", *, graphs: bool = True
) -> Training:
    own = StartTraining()
    own.CopyFrom(start)
    own.spec.budget.precision = precision
    training = build(own)
    training.graphs_allowed = graphs
    return training


def weights(training: Training) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in training.model.parameters()]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_same_steps_give_the_same_bits(
    start: StartTraining, precision: "run_spec_pb2.Precision.ValueType"
) -> None:
    one, other = make(start, precision), make(start, precision)
    for _ in range(5):
        assert training_step(one).loss == training_step(other).loss
    assert all(map(torch.equal, weights(one), weights(other)))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_graph_makes_the_steps_of_eager_code(
    start: StartTraining, precision: "run_spec_pb2.Precision.ValueType"
) -> None:
    graphed, eager = make(start, precision), make(start, precision, graphs=False)
    for _ in range(5):
        assert training_step(graphed).loss == training_step(eager).loss
    assert graphed.passes and not eager.passes  # noqa: PT018
    assert all(map(torch.equal, weights(graphed), weights(eager)))


@pytest.mark.parametrize("graphs", [False, True])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_between_two_looks_nothing_waits_for_the_device(
    start: StartTraining, precision: "run_spec_pb2.Precision.ValueType", graphs: bool
) -> None:
    start.spec.budget.steps = 100
    training = make(start, precision, graphs=graphs)
    while training.step % LOOK_EVERY != 0 or training.step == 0:
        training_step(training)
    with no_waiting():
        for _ in range(LOOK_EVERY - 1):
            training_step(training)
    assert training_step(training).skipped_in_a_row == 0


def test_waiting_would_be_noticed(start: StartTraining, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the test above can fail."""
    training = make(start, PRECISIONS[0])
    training_step(training)
    original: Callable[..., torch.Tensor] = optim.clip_and_step

    def curious(*arguments: object, **options: object) -> torch.Tensor:
        norm = original(*arguments, **options)
        norm.item()
        return norm

    monkeypatch.setattr(step_module, "clip_and_step", curious)
    with no_waiting(), pytest.raises(RuntimeError, match="synchroniz"):
        training_step(training)


def test_a_gpu_makes_the_steps_of_a_processor(start: StartTraining) -> None:
    there = make(start, PRECISIONS[0])
    start.spec.budget.device = "cpu"
    here = make(start, PRECISIONS[0])
    for _ in range(5):
        one, other = training_step(there), training_step(here)
        assert one.loss == pytest.approx(other.loss, rel=1e-4)
        assert one.grad_norm == pytest.approx(other.grad_norm, rel=1e-3)
