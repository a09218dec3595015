"""Attention in tiles against float64, line by line as in the book."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lab import kernels
from lab.model import GPTConfig, GPTModel
from lab.model.blockwise import blockwise_attention
from lab.model.fused import suits_tiles, tiled_attention

pytestmark = pytest.mark.skipif(
    kernels.tiled_operations() is None, reason="no kernels here, or no AMX"
)

# Sequences, tokens, heads, width of a head: one token, odd tails, several blocks of 64 queries.
SHAPES = [(1, 1, 1, 32), (2, 7, 3, 32), (1, 64, 2, 64), (2, 129, 5, 32), (1, 300, 1, 96)]


def made(shape: tuple[int, int, int, int], *, spread: float = 1.0) -> tuple[Tensor, Tensor]:
    """qkv and a gradient of the joined heads."""
    B, T, H, D = shape
    generator = torch.Generator().manual_seed(1)
    qkv = torch.randn(B, T, 3 * H * D, generator=generator) * spread
    return qkv.bfloat16(), torch.randn(B, T, H * D, generator=generator).bfloat16()


def book(qkv: Tensor, *, heads: int) -> Tensor:
    B, T, D = qkv.shape[0], qkv.shape[1], qkv.shape[2] // 3 // heads
    q, k, v = qkv.view(B, T, 3, heads, D).permute(2, 0, 3, 1, 4)
    future = torch.ones(T, T, dtype=torch.bool).triu(1)
    scores = (q @ k.transpose(2, 3) / math.sqrt(D)).masked_fill(future, float("-inf"))
    joined: Tensor = (scores.softmax(-1) @ v).transpose(1, 2).reshape(B, T, heads * D)
    return joined


def passes(
    attention: Callable[..., Tensor], qkv: Tensor, gradient: Tensor, *, heads: int
) -> tuple[Tensor, Tensor]:
    given = qkv.clone().requires_grad_()
    joined = attention(given, heads=heads)
    joined.backward(gradient)  # type: ignore[no-untyped-call]
    assert given.grad is not None
    return joined.detach(), given.grad


def off(one: Tensor, other: Tensor) -> float:
    return float((one.double() - other).norm() / other.norm().clamp_min(1e-30))


@pytest.mark.parametrize("spread", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_is_the_books(shape: tuple[int, int, int, int], spread: float) -> None:
    qkv, gradient = made(shape, spread=spread)
    heads = shape[2]
    assert suits_tiles(qkv, heads=heads)
    joined, back = passes(tiled_attention, qkv, gradient, heads=heads)
    wanted, by = passes(book, qkv.double(), gradient.double(), heads=heads)
    assert off(joined, wanted) < 2**-8
    assert off(back, by) < 2**-7


def test_it_is_no_worse_than_torch() -> None:
    qkv, gradient = made((2, 129, 5, 32))
    wanted = passes(book, qkv.double(), gradient.double(), heads=5)
    ours = passes(tiled_attention, qkv, gradient, heads=5)
    torchs = passes(blockwise_attention, qkv, gradient, heads=5)
    for one, other, best in zip(ours, torchs, wanted, strict=True):
        assert off(one, best) < 1.1 * off(other, best)


def test_large_scores_and_no_numbers() -> None:
    qkv, gradient = made((1, 70, 1, 32), spread=100.0)  # scores of 50,000 decide for one key
    joined, back = passes(tiled_attention, qkv, gradient, heads=1)
    assert off(joined, book(qkv.double(), heads=1)) < 2**-7
    assert back.isfinite().all()
    qkv[0, 40, 3] = float("nan")  # a query: its own row, and by its gradient the keys it sees
    joined, back = passes(tiled_attention, qkv, gradient, heads=1)
    assert joined[0].isnan().any(dim=1).nonzero().flatten().tolist() == [40]
    assert back.isnan().any()


def test_the_future_does_not_matter() -> None:
    qkv, gradient = made((1, 100, 2, 32))
    joined, _ = passes(tiled_attention, qkv, gradient, heads=2)
    qkv[0, 50:] = 7.0
    changed, _ = passes(tiled_attention, qkv, gradient, heads=2)
    assert torch.equal(joined[0, :50], changed[0, :50])
    assert not torch.equal(joined[0, 50], changed[0, 50])


def test_threads_change_no_bit() -> None:
    qkv, gradient = made((2, 129, 5, 32))
    before = torch.get_num_threads()
    try:
        each = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            each.append(passes(tiled_attention, qkv, gradient, heads=5))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, other) for one, other in zip(*each, strict=True))


def test_what_does_not_suit_goes_another_way() -> None:
    qkv, _ = made((1, 7, 2, 32))
    assert not suits_tiles(qkv.float(), heads=2)
    assert not suits_tiles(qkv, heads=4)  # of 16 numbers each
    with torch.no_grad():
        assert not suits_tiles(qkv, heads=2)


@pytest.mark.parametrize("context", [40, 600])
def test_a_model_trains_with_it_and_dropout_does_not(
    context: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def counted(qkv: Tensor, *, heads: int) -> Tensor:
        asked.append(heads)
        return tiled_attention(qkv, heads=heads)

    monkeypatch.setattr("lab.model.attention.tiled_attention", counted)
    shape = GPTConfig(layers=1, width=64, heads=2, context=context, vocab_size=11)
    ids = torch.zeros(1, context, dtype=torch.long)
    GPTModel(shape).hidden(ids, dtype=torch.bfloat16)
    assert asked == [2]
    GPTModel(replace(shape, dropout=0.5)).hidden(ids, dtype=torch.bfloat16)
    assert asked == [2]
