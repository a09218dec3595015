"""The fused head and loss against torch's own, which holds all the logits."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lab.model import LogitsRoom, linear_cross_entropy, token_losses

N, WIDTH, VOCABULARY = 23, 12, 101


def made(*, dtype: torch.dtype = torch.float32, spread: float = 1.0) -> tuple[Tensor, ...]:
    """Hidden states, a weight and targets; the weight stays in fp32 when the states are bf16."""
    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn(N, WIDTH, generator=generator) * spread
    weight = torch.randn(VOCABULARY, WIDTH, generator=generator)
    targets = torch.randint(VOCABULARY, (N,), generator=generator)
    master = torch.promote_types(dtype, torch.float32)
    return hidden.to(dtype).requires_grad_(), weight.to(master).requires_grad_(), targets


def room(chunk_tokens: int, dtype: torch.dtype = torch.float32) -> LogitsRoom:
    return LogitsRoom(
        vocab_size=VOCABULARY, width=WIDTH, chunk_tokens=chunk_tokens, dtype=dtype, device="cpu"
    )


def gradient(tensor: Tensor) -> Tensor:
    assert tensor.grad is not None
    return tensor.grad


@pytest.mark.parametrize("chunk_tokens", [1, 7, 23, 128])
def test_it_is_cross_entropy_however_the_tokens_are_cut(chunk_tokens: int) -> None:
    hidden, weight, targets = made()
    expected = F.cross_entropy(F.linear(hidden, weight), targets, reduction="none")
    (expected.sum() * 0.25).backward()  # type: ignore[no-untyped-call]
    wanted = gradient(hidden).clone(), gradient(weight).clone()
    hidden.grad = weight.grad = None
    loss, losses = linear_cross_entropy(
        hidden, weight, targets, room=room(chunk_tokens), scale=0.25
    )
    loss.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(losses, expected.detach(), rtol=1e-5, atol=1e-6)
    assert loss.item() == pytest.approx(0.25 * expected.sum().item(), rel=1e-6)
    torch.testing.assert_close(gradient(hidden), wanted[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradient(weight), wanted[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("chunk_tokens", [1, 7, 9, 128])
def test_the_gradient_is_that_of_finite_differences(chunk_tokens: int) -> None:
    every = made(dtype=torch.float64)  # 9 of the tokens and 31 of the vocabulary are enough
    hidden, weight = (
        part[:n].detach().requires_grad_() for part, n in zip(every, (9, 31), strict=False)
    )
    targets = every[2][:9] % 31
    few = LogitsRoom(vocab_size=31, width=WIDTH, chunk_tokens=chunk_tokens, dtype=torch.float64)

    def loss(hidden: Tensor, weight: Tensor) -> Tensor:
        return linear_cross_entropy(hidden, weight, targets, room=few, scale=0.3)[0] ** 2

    assert torch.autograd.gradcheck(loss, (hidden, weight))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_weights_gradient_can_be_added_where_it_belongs(dtype: torch.dtype) -> None:
    hidden, weight, targets = made(dtype=dtype)
    loss, _ = linear_cross_entropy(hidden, weight, targets, room=room(7, dtype))
    loss.backward()  # type: ignore[no-untyped-call]
    handed = gradient(weight).clone()
    there = torch.ones_like(weight)
    weight.grad = there
    again, _ = linear_cross_entropy(
        hidden, weight, targets, room=room(7, dtype), gradient=weight.grad
    )
    again.backward()  # type: ignore[no-untyped-call]
    assert weight.grad is there
    torch.testing.assert_close(there, handed + 1, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("width", [WIDTH, 16])  # a kernel of our own may do the second
def test_what_is_in_a_fresh_gradient_does_not_matter(dtype: torch.dtype, width: int) -> None:
    hidden, weight, targets = made(dtype=dtype)
    states = torch.nn.functional.pad(hidden.detach(), (0, width - WIDTH))
    weight = torch.nn.functional.pad(weight.detach(), (0, width - WIDTH))
    room = LogitsRoom(vocab_size=VOCABULARY, width=width, chunk_tokens=7, dtype=dtype)

    def added_to(left: float, *, fresh: bool) -> Tensor:
        there = torch.full_like(weight, left)
        given = states.clone().requires_grad_()
        linear_cross_entropy(given, weight, targets, room=room, gradient=there, fresh=fresh)
        return there

    assert torch.equal(added_to(float("nan"), fresh=True), added_to(0.0, fresh=False))


def test_a_room_is_left_as_good_as_new() -> None:
    """What an earlier, longer batch left in it does not matter."""
    hidden, weight, targets = made()
    used, fresh = room(16), room(16)
    linear_cross_entropy(hidden * 3, weight, targets, room=used)
    one = linear_cross_entropy(hidden[:5], weight, targets[:5], room=used)[1]
    other = linear_cross_entropy(hidden[:5], weight, targets[:5], room=fresh)[1]
    assert torch.equal(one, other)


def test_without_gradients_the_losses_are_the_same() -> None:
    hidden, weight, targets = made()
    with_gradients = linear_cross_entropy(hidden, weight, targets, room=room(7))[1]
    assert torch.equal(token_losses(hidden, weight, targets, room=room(7)), with_gradients)


def test_bf16_is_as_close_as_bf16_can_be() -> None:
    """Against fp32 arithmetic on the same rounded numbers, by the norm of the difference."""
    hidden, weight, targets = made(dtype=torch.bfloat16)
    exact_hidden = hidden.detach().float().requires_grad_()
    rounded = weight.detach().bfloat16().float().requires_grad_()
    expected = F.cross_entropy(F.linear(exact_hidden, rounded), targets, reduction="none")
    expected.sum().backward()  # type: ignore[no-untyped-call]
    loss, losses = linear_cross_entropy(hidden, weight, targets, room=room(7, torch.bfloat16))
    loss.backward()  # type: ignore[no-untyped-call]
    assert losses.dtype == gradient(weight).dtype == torch.float32
    assert gradient(hidden).dtype == torch.bfloat16
    for found, wanted in [
        (losses, expected.detach()),
        (gradient(hidden).float(), gradient(exact_hidden)),
        (gradient(weight), gradient(rounded)),
    ]:
        assert (found - wanted).norm() < 0.01 * wanted.norm()


def test_bf16_knows_how_sure_a_sure_model_is() -> None:
    """Losses far below 0.004, the step of bf16 near 1, keep their size, and so does the push."""
    weight = torch.eye(8, requires_grad=True)
    targets = torch.arange(8)
    hidden = (torch.eye(8) * torch.arange(6.0, 14.0)[:, None]).bfloat16().requires_grad_()
    expected = F.cross_entropy(hidden.detach().float(), targets, reduction="none")
    small = LogitsRoom(vocab_size=8, width=8, chunk_tokens=8, dtype=torch.bfloat16)
    loss, losses = linear_cross_entropy(hidden, weight, targets, room=small)
    loss.backward()  # type: ignore[no-untyped-call]
    assert expected.max() < 0.02
    assert expected.min() < 2e-5
    torch.testing.assert_close(losses, expected, rtol=0.01, atol=0.0)
    push = -gradient(hidden).diagonal().float()
    torch.testing.assert_close(push, 1 - (-expected).exp(), rtol=0.02, atol=0.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_hopeless_prediction_has_its_true_loss(dtype: torch.dtype) -> None:
    """Beyond e^-87 no float holds the probability, but a run that falls apart is still told."""
    hidden, weight, targets = made(dtype=dtype, spread=60.0)
    expected = F.cross_entropy(hidden.float() @ weight.t(), targets, reduction="none")
    assert (expected > 90).sum() > 5
    loss, losses = linear_cross_entropy(hidden, weight, targets, room=room(7, dtype))
    torch.testing.assert_close(losses, expected.detach(), rtol=2e-2, atol=0.5)
    loss.backward()  # type: ignore[no-untyped-call]
    assert gradient(weight).isfinite().all()


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_what_is_no_number_stays_none(poison: float) -> None:
    hidden, weight, targets = made()
    hidden.data[3, 2] = poison
    loss, losses = linear_cross_entropy(hidden, weight, targets, room=room(7))
    assert not loss.isfinite()
    assert losses.isfinite().sum() == N - 1


def test_the_room_must_fit() -> None:
    hidden, weight, targets = made()
    with pytest.raises(ValueError, match="bfloat16"):
        linear_cross_entropy(hidden.bfloat16(), weight, targets, room=room(7))


def test_the_same_memory_serves_for_fp32() -> None:
    """To look at a model between two steps of a training in bf16."""
    hidden, weight, targets = made()
    wanted = F.cross_entropy(F.linear(hidden, weight), targets, reduction="none")
    of_training = room(7, torch.bfloat16)
    exact = of_training.in_fp32()
    assert exact.rows.untyped_storage().data_ptr() == of_training.rows.untyped_storage().data_ptr()
    assert 1 <= exact.chunk_tokens < N  # so that it is cut
    losses = token_losses(hidden.detach(), weight.detach(), targets, room=exact)
    torch.testing.assert_close(losses, wanted.detach(), rtol=1e-5, atol=1e-6)
    assert exact.in_fp32() is exact
    half = hidden.detach().bfloat16()
    before = token_losses(half, weight.detach(), targets, room=room(7, torch.bfloat16))
    after = token_losses(half, weight.detach(), targets, room=of_training)
    assert torch.equal(before, after)
