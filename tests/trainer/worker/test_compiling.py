"""Whether blocks are compiled is settled once; a compiled training is the same training."""

import pytest
import torch

from lab.errors import InvalidArgument
from lab.v1 import run_spec_pb2
from lab.v1.worker_pb2 import StartTraining
from services.trainer.worker import compiling
from services.trainer.worker.step import training_step
from services.trainer.worker.training import build

OFF, ON = run_spec_pb2.COMPILE_OFF, run_spec_pb2.COMPILE_ON
AUTO = run_spec_pb2.COMPILE_AUTO


def settled(
    start: StartTraining, wanted: "run_spec_pb2.Compile.ValueType"
) -> "run_spec_pb2.Compile.ValueType":
    start.spec.budget.compile = wanted
    return compiling.settle_compile(start.spec, torch.device("cpu"))


@pytest.mark.parametrize("faster", [False, True])
def test_auto_is_settled_by_measuring(
    start: StartTraining, monkeypatch: pytest.MonkeyPatch, faster: bool
) -> None:
    monkeypatch.setattr(compiling, "is_faster", lambda *_: faster)
    assert settled(start, AUTO) == (ON if faster else OFF)
    assert settled(start, OFF) == OFF
    assert settled(start, ON) == ON


def test_without_a_compiler_it_is_never_needed(
    start: StartTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> bool:
        raise RuntimeError("no compiler")

    monkeypatch.setattr(compiling, "is_faster", fails)
    assert settled(start, AUTO) == OFF
    with pytest.raises(InvalidArgument, match="set it to off"):
        settled(start, ON)


def test_an_old_spec_says_nothing_of_it(start: StartTraining) -> None:
    start.spec.budget.ClearField("compile")
    assert build(start).spec.budget.compile == OFF


@pytest.mark.filterwarnings("default")  # what the compiler warns of is its own business
def test_compiled_blocks_make_the_same_steps(
    start: StartTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the compiler's front end only: it needs no C++ compiler, and no seconds."""
    plain = build(start)
    monkeypatch.setattr(compiling, "BACKEND", "aot_eager")
    start.spec.budget.compile = ON
    training = build(start)
    assert len(training.model.compiled_blocks) == start.spec.model.layers
    names = [name for name, _ in training.model.named_parameters()]
    assert names == [name for name, _ in plain.model.named_parameters()]
    for _ in range(3):
        one, other = training_step(plain), training_step(training)
        assert other.loss == pytest.approx(one.loss, rel=1e-6)
        assert other.grad_norm == pytest.approx(one.grad_norm, rel=1e-5)
