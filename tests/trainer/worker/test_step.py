"""One step: the same however the batch is cut, and never applied when it is no number."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lab.v1 import run_spec_pb2
from lab.v1.worker_pb2 import StartTraining
from services.trainer.worker.step import Diverged, training_step
from services.trainer.worker.training import Training, build


def weights(training: Training) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in training.model.named_parameters()}


def test_the_loss_falls(training: Training) -> None:
    losses = [training_step(training).loss for _ in range(8)]
    assert losses[-1] < losses[0]
    assert training.step == 8
    assert training.tokens == 8 * 4 * 16
    assert training.loss == losses[-1]


@pytest.mark.parametrize("micro_batch", [1, 2])
def test_micro_batches_make_the_step_of_the_whole_batch(
    start: StartTraining, micro_batch: int
) -> None:
    start.spec.budget.micro_batch = 4
    whole = build(start)
    start.spec.budget.micro_batch = micro_batch
    cut = build(start)
    one, other = training_step(whole), training_step(cut)
    assert other.loss == pytest.approx(one.loss, rel=1e-6)
    assert other.grad_norm == pytest.approx(one.grad_norm, rel=1e-5)
    for name, gradient in _gradients(whole).items():
        torch.testing.assert_close(_gradients(cut)[name], gradient, rtol=1e-4, atol=1e-7)


def test_the_norm_is_told_before_clipping_and_the_gradient_is_clipped(training: Training) -> None:
    training.spec.optimizer.clip = 0.01
    result = training_step(training)
    assert result.grad_norm > 0.1
    left = torch.stack([g.norm() for g in _gradients(training).values()]).norm()
    assert left.item() == pytest.approx(0.01, rel=1e-3)


def test_clip_0_leaves_the_gradient(training: Training) -> None:
    training.spec.optimizer.clip = 0.0
    result = training_step(training)
    left = torch.stack([g.norm() for g in _gradients(training).values()]).norm()
    assert left.item() == pytest.approx(result.grad_norm, rel=1e-4)


def poison_loss(training: Training) -> None:
    training.model.get_parameter("transformer.ln_f.bias").data[0] = float("nan")


def poison_gradient(training: Training) -> None:
    """The loss stays finite, the gradient does not."""
    parameter = training.model.get_parameter("transformer.ln_f.weight")
    parameter.register_hook(lambda gradient: gradient * float("inf"))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("poison", [poison_loss, poison_gradient])
def test_a_step_that_is_no_number_is_not_applied(
    training: Training, poison: Callable[[Training], None]
) -> None:
    training_step(training)
    poison(training)
    before = weights(training)
    moments = {
        name: training.optimizer.state[p]["exp_avg"].clone()
        for name, p in training.model.named_parameters()
    }
    with pytest.raises(Diverged, match=r"At step 2 the .*(nan|inf).* lower learning rate"):
        training_step(training)
    assert training.step == 1
    for name, parameter in training.model.named_parameters():
        assert torch.equal(parameter.nan_to_num(), before[name].nan_to_num()), name
        assert torch.equal(training.optimizer.state[parameter]["exp_avg"], moments[name]), name


def test_dropout_depends_on_the_step_only(start: StartTraining) -> None:
    start.spec.model.dropout = 0.5
    torch.manual_seed(1)
    first = [training_step(one).loss for one in [build(start)] for _ in range(3)]
    torch.manual_seed(2)
    second = [training_step(one).loss for one in [build(start)] for _ in range(3)]
    assert first == second
    start.spec.model.dropout = 0.0
    assert training_step(build(start)).loss != first[0]


def test_bf16_is_close_where_the_processor_has_it(start: StartTraining) -> None:
    if not torch.cpu._is_avx512_bf16_supported():
        pytest.skip("no fast bf16 here")
    start.spec.budget.precision = run_spec_pb2.PRECISION_BF16
    half = training_step(build(start))
    start.spec.budget.precision = run_spec_pb2.PRECISION_FP32
    full = training_step(build(start))
    assert half.loss == pytest.approx(full.loss, rel=1e-2)
    assert half.loss != full.loss


def _gradients(training: Training) -> dict[str, Tensor]:
    return {n: p.grad for n, p in training.model.named_parameters() if p.grad is not None}
