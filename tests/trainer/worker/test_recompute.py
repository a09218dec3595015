"""Activation checkpointing: the same gradients from fewer kept numbers."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from lab.v1.worker_pb2 import StartTraining
from services.trainer.worker.step import training_step
from services.trainer.worker.training import Training, build


def built(start: StartTraining, *, recompute: bool) -> Training:
    own = StartTraining()
    own.CopyFrom(start)
    own.spec.budget.activation_checkpointing = recompute
    return build(own)


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_the_steps_are_the_same_to_the_bit(start: StartTraining, dropout: float) -> None:
    """What is dropped is dropped again: the generator is set back for the second forward pass."""
    start.spec.model.dropout = dropout
    kept, made_again = (built(start, recompute=recompute) for recompute in (False, True))
    for _ in range(3):
        one, other = training_step(kept), training_step(made_again)
        assert (one.loss, one.grad_norm) == (other.loss, other.grad_norm)
    for mine, theirs in zip(kept.model.parameters(), made_again.model.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_what_is_kept_no_longer_grows_with_what_blocks_compute(start: StartTraining) -> None:
    start.spec.model.layers = 6
    kept, made_again = (
        numbers_kept(built(start, recompute=recompute)) for recompute in (False, True)
    )
    tokens = start.spec.budget.micro_batch * start.spec.model.context
    inputs = start.spec.model.layers * tokens * start.spec.model.width
    assert made_again < inputs + kept / start.spec.model.layers
    assert made_again < kept / 4


def numbers_kept(training: Training) -> int:
    """Floats that the forward pass of one micro-batch leaves behind, weights not counted."""
    weights = {parameter.data_ptr() for parameter in training.model.parameters()}
    sizes: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.is_floating_point() and tensor.data_ptr() not in weights:
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().size() // 4
        return tensor

    same: Callable[[Any], Any] = lambda tensor: tensor  # noqa: E731
    inputs, _ = next(training.batches.of_step(1, micro_batch=2))
    with torch.autograd.graph.saved_tensors_hooks(keep, same):
        hidden = training.model.hidden(inputs)
    assert hidden.requires_grad
    return sum(sizes.values())
