"""One step: the same however the batch is cut, and never applied when it is no number."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lab.v1 import run_spec_pb2
from lab.v1.worker_pb2 import StartTraining
from services.trainer.worker.precision import multiplies_bf16
from services.trainer.worker.step import Diverged, training_step
from services.trainer.worker.training import Training, build

needs_bf16 = pytest.mark.skipif(
    not multiplies_bf16(torch.device("cpu")), reason="this processor does not multiply bf16"
)


def weights(training: Training) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in training.model.named_parameters()}


def test_the_loss_falls(training: Training) -> None:
    losses = [training_step(training).loss for _ in range(8)]
    assert losses[-1] < losses[0]
    assert training.step == 8
    assert training.tokens == 8 * 4 * 16
    assert training.loss == losses[-1]


@pytest.mark.parametrize("micro_batch", [1, 2, 3])
def test_micro_batches_make_the_step_of_the_whole_batch(
    start: StartTraining, micro_batch: int
) -> None:
    """Also when they do not divide it: each token counts the same, whoever is beside it."""
    start.spec.budget.micro_batch = 4
    whole = build(start)
    start.spec.budget.micro_batch = micro_batch
    cut = build(start)
    one, other = training_step(whole), training_step(cut)
    assert len(other.sequence_losses) == len(one.sequence_losses) == 4
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
def test_a_step_that_is_no_number_moves_nothing(
    training: Training, poison: Callable[[Training], None]
) -> None:
    loss = training_step(training).loss
    poison(training)
    before, moments = weights(training), optimizer_state(training)
    result = training_step(training)
    assert not math.isfinite(result.loss + result.grad_norm)
    assert (result.skipped_in_a_row, training.step, training.loss) == (1, 2, loss)
    for name, value in weights(training).items():
        assert torch.equal(value.nan_to_num(), before[name].nan_to_num()), name
    for name, value in optimizer_state(training).items():
        assert torch.equal(value, moments[name]), name


def test_a_run_goes_on_after_a_step_that_is_no_number(training: Training) -> None:
    """The next steps read on and the count starts anew: three apart are not three in a row."""
    for _ in range(3):
        with poisoned_gradient(training):
            assert training_step(training).skipped_in_a_row == 1
        assert training_step(training).skipped_in_a_row == 0
    assert training.step == 6
    assert training.loss is not None


@pytest.mark.parametrize("poison", [poison_loss, poison_gradient])
def test_steps_that_stay_no_number_end_the_run(
    training: Training, poison: Callable[[Training], None]
) -> None:
    training_step(training)
    poison(training)
    training_step(training)
    training_step(training)
    said = r"At step 2 the .*(nan|inf), .*steps 2 to 4 were not applied.* lower learning rate"
    with pytest.raises(Diverged, match=said):
        training_step(training)
    assert training.step == 4


def test_every_sequence_has_its_own_loss(training: Training) -> None:
    model, context = training.model, training.spec.model.context
    expected = []
    with torch.no_grad():
        for inputs, targets in training.batches.of_step(1, micro_batch=1):
            expected.append(F.cross_entropy(model(inputs)[0], targets[0]).item())
    result = training_step(training)
    assert result.sequence_losses == pytest.approx(expected, rel=1e-5)
    assert len(set(result.sequence_losses)) == training.spec.budget.batch
    assert result.loss == pytest.approx(sum(expected) / len(expected), rel=1e-6)
    assert training.room.chunk_tokens == 2 * context


@pytest.mark.parametrize("tied", [True, False])
def test_the_gradient_is_that_of_plain_autograd(start: StartTraining, tied: bool) -> None:
    """The fused head, the sparse embedding and the casts change how it is found, not what it is."""
    start.spec.model.tied, start.spec.optimizer.clip = tied, 0.0
    training, plain = build(start), build(start)
    plain.model.token_embedding.sparse = False
    plain.optimizer.zero_grad(set_to_none=True)
    inputs, targets = next(plain.batches.of_step(1, micro_batch=4))
    loss = F.cross_entropy(plain.model(inputs).flatten(0, 1), targets.flatten())
    loss.backward()  # type: ignore[no-untyped-call]
    result = training_step(training)
    assert result.loss == pytest.approx(loss.item(), rel=1e-6)
    found = _gradients(training)
    assert len(found) == len(_gradients(plain)) == len(list(training.model.parameters()))
    for name, gradient in _gradients(plain).items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-7)


def test_dropout_depends_on_the_step_only(start: StartTraining) -> None:
    start.spec.model.dropout = 0.5
    torch.manual_seed(1)
    first = [training_step(one).loss for one in [build(start)] for _ in range(3)]
    torch.manual_seed(2)
    second = [training_step(one).loss for one in [build(start)] for _ in range(3)]
    assert first == second
    start.spec.model.dropout = 0.0
    assert training_step(build(start)).loss != first[0]


@needs_bf16
def test_bf16_learns_what_fp32_learns(start: StartTraining) -> None:
    start.spec.budget.steps = 200
    other_start = StartTraining()
    other_start.CopyFrom(start)
    other_start.spec.budget.precision = run_spec_pb2.PRECISION_BF16
    full, half = build(start), build(other_start)
    one, other = training_step(half), training_step(full)
    assert one.loss == pytest.approx(other.loss, rel=1e-3)
    assert one.loss != other.loss
    assert all(parameter.dtype == torch.float32 for parameter in half.model.parameters())
    for name, gradient in _gradients(full).items():
        apart = (_gradients(half)[name] - gradient).norm() / gradient.norm()
        assert apart < (0.25 if name.endswith("c_attn.bias") else 0.04), name
    for _ in range(60):
        one, other = training_step(half), training_step(full)
    assert one.loss == pytest.approx(other.loss, rel=0.02)


def _gradients(training: Training) -> dict[str, Tensor]:
    return {n: p.grad for n, p in training.model.named_parameters() if p.grad is not None}


def optimizer_state(training: Training) -> dict[str, Tensor]:
    return {
        f"{part} of {name}": training.optimizer.state[parameter][part].clone()
        for name, parameter in training.model.named_parameters()
        for part in ("step", "exp_avg", "exp_avg_sq")
    }


@contextmanager
def poisoned_gradient(training: Training) -> Iterator[None]:
    parameter = training.model.get_parameter("transformer.ln_f.weight")
    handle = parameter.register_hook(lambda gradient: gradient * float("nan"))  # type: ignore[no-untyped-call]
    yield
    handle.remove()
