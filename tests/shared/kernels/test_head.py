"""The head's kernel against float64, and against the torch code that it stands in for."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lab import kernels
from lab.model import LogitsRoom, linear_cross_entropy, token_losses

pytestmark = pytest.mark.skipif(
    kernels.tiled_operations() is None, reason="no kernels here, or no AMX"
)

# Tokens, width, vocabulary: less than a tile, odd tails of all three, more than a thread's group.
SHAPES = [(7, 16, 101), (33, 48, 1_000), (65, 160, 129), (600, 32, 257)]
SCALE = 0.25
Found = tuple[Tensor, Tensor, Tensor]  # losses, the hidden states' gradient, the weight's


def made(
    tokens: int, width: int, vocabulary: int, *, spread: float = 1.0
) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    hidden = (torch.randn(tokens, width, generator=generator) * spread).bfloat16()
    weight = torch.randn(vocabulary, width, generator=generator) * 0.1
    return hidden, weight, torch.randint(vocabulary, (tokens,), generator=generator)


def found(
    hidden: Tensor, weight: Tensor, targets: Tensor, *, chunk: int = 4096, kernel: bool = True
) -> Found:
    room = LogitsRoom(
        vocab_size=len(weight),
        width=weight.shape[1],
        chunk_tokens=min(chunk, len(hidden)),
        dtype=torch.bfloat16,
    )
    assert room.operations is not None
    if not kernel:
        room.operations = None
    states, weights = hidden.clone().requires_grad_(), weight.clone().requires_grad_()
    loss, losses = linear_cross_entropy(states, weights, targets, room=room, scale=SCALE)
    loss.backward()  # type: ignore[no-untyped-call]
    assert states.grad is not None
    assert weights.grad is not None
    return losses, states.grad, weights.grad


def exact(hidden: Tensor, weight: Tensor, targets: Tensor) -> Found:
    """In float64, of the weight as it is multiplied: rounded to bf16."""
    states, weights = hidden.double().requires_grad_(), weight.bfloat16().double().requires_grad_()
    losses = F.cross_entropy(states @ weights.t(), targets, reduction="none")
    (losses.sum() * SCALE).backward()  # type: ignore[no-untyped-call]
    assert states.grad is not None
    assert weights.grad is not None
    return losses.detach(), states.grad, weights.grad


def off(one: Tensor, other: Tensor) -> float:
    return float((one.double() - other).norm() / other.norm())


@pytest.mark.parametrize("spread", [1.0, 5.0])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_losses_are_exact_and_gradients_as_bf16_can_be(
    shape: tuple[int, int, int], spread: float
) -> None:
    given = made(*shape, spread=spread)
    losses, by_hidden, by_weight = found(*given)
    wanted = exact(*given)
    torch.testing.assert_close(losses.double(), wanted[0], rtol=1e-5, atol=1e-6)
    assert off(by_hidden, wanted[1]) < 2**-8
    assert off(by_weight, wanted[2]) < 2**-8


def test_it_is_closer_than_the_long_way() -> None:
    """Which rounds the scores to bf16: so it was the kernel that ran, and not the long way."""
    given = made(65, 160, 1_000)
    wanted = exact(*given)
    for one, other, best in zip(found(*given), found(*given, kernel=False), wanted, strict=True):
        assert off(one, best) < off(other, best)


@pytest.mark.parametrize("chunk", [32, 40, 64])
def test_the_gradient_adds_up_over_chunks(chunk: int) -> None:
    given = made(130, 48, 300)
    whole, cut = found(*given), found(*given, chunk=chunk)
    assert torch.equal(whole[0], cut[0])
    assert torch.equal(whole[1], cut[1])
    torch.testing.assert_close(whole[2], cut[2], rtol=1e-5, atol=1e-6)


def test_threads_change_no_bit() -> None:
    given = made(600, 32, 257)
    before = torch.get_num_threads()
    try:
        each = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            each.append(found(*given))
    finally:
        torch.set_num_threads(before)
    for other in each[1:]:
        assert all(torch.equal(a, b) for a, b in zip(each[0], other, strict=True))


def test_a_token_that_the_model_is_sure_of_keeps_its_small_loss() -> None:
    weight = torch.eye(16)
    hidden = (torch.eye(16) * torch.arange(3.0, 19.0)[:, None]).bfloat16()
    targets = torch.arange(16)
    losses, by_hidden, _ = found(hidden, weight, targets)
    wanted = exact(hidden, weight, targets)
    assert wanted[0].min() < 1e-6
    torch.testing.assert_close(losses.double(), wanted[0], rtol=1e-5, atol=0.0)
    push, best = by_hidden.double().diagonal(), wanted[1].diagonal()
    torch.testing.assert_close(push, best, rtol=2**-7, atol=0.0)


@pytest.mark.parametrize("largest", [100.0, 1e4])
def test_scores_beyond_all_bounds_go_the_long_way(largest: float) -> None:
    """The largest scores stand at the end, out of reach of what the first block promised."""
    hidden, weight, targets = made(40, 32, 300)
    weight[290:] *= largest
    targets[:20] = 295
    assert (hidden.float() @ weight.t()).abs().max() > largest
    with_kernel, without = (
        found(hidden, weight, targets, kernel=kernel) for kernel in (True, False)
    )
    assert all(torch.equal(one, other) for one, other in zip(with_kernel, without, strict=True))
    assert all(part.isfinite().all() for part in with_kernel)


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_what_is_no_number_reaches_the_loss(poison: float) -> None:
    hidden, weight, targets = made(40, 32, 300)
    hidden[3, 2] = poison
    losses, _, by_weight = found(hidden, weight, targets)
    assert losses.isnan().nonzero().flatten().tolist() == [3]
    assert by_weight.isnan().any()


def test_without_gradients_the_losses_are_the_same_bits() -> None:
    hidden, weight, targets = made(65, 160, 129)
    room = LogitsRoom(vocab_size=129, width=160, chunk_tokens=32, dtype=torch.bfloat16)
    losses = token_losses(hidden, weight, targets, room=room)
    assert torch.equal(losses, found(hidden, weight, targets)[0])


def test_a_target_that_is_no_token_is_refused() -> None:
    hidden, weight, targets = made(7, 16, 101)
    targets[2] = 101
    with pytest.raises(IndexError, match="101 is no token"):
        found(hidden, weight, targets)
