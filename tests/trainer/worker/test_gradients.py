"""What a step before left in the gradients does not matter, however little of it is set to zero."""

import pytest
import torch

from lab.v1 import run_spec_pb2
from lab.v1.worker_pb2 import StartTraining
from services.trainer.worker.precision import multiplies_bf16
from services.trainer.worker.step import training_step
from services.trainer.worker.training import build


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("tied", [True, False])
def test_gradients_begin_as_if_they_were_zero(start: StartTraining, bf16: bool, tied: bool) -> None:
    if bf16 and not multiplies_bf16(torch.device("cpu")):
        pytest.skip("no bf16 here")
    spec = start.spec
    spec.budget.precision = run_spec_pb2.PRECISION_BF16 if bf16 else run_spec_pb2.PRECISION_FP32
    spec.model.width, spec.model.heads, spec.model.tied = 32, 1, tied  # what kernels can do
    spec.budget.batch, spec.budget.micro_batch = 4, 2
    one, other = build(start), build(start)
    other.gradients.fill_(float("nan"))
    for training in (one, other):
        training_step(training)
    assert one.gradients.isfinite().all()
    assert one.gradients.any()
    for name, parameter in one.model.named_parameters():
        twin = other.model.get_parameter(name)
        assert parameter.grad is not None
        assert twin.grad is not None
        assert torch.equal(parameter.grad, twin.grad), name


def test_what_nothing_was_added_to_is_zero(start: StartTraining) -> None:
    if multiplies_bf16(torch.device("cpu")):
        start.spec.budget.precision = run_spec_pb2.PRECISION_BF16
    start.spec.model.width, start.spec.model.heads = 32, 1
    training = build(start)
    training.gradients.fill_(float("nan"))
    training.forget_gradients()
    training.settle_gradients()
    assert all(not p.grad.any() for p in training.model.parameters() if p.grad is not None)
