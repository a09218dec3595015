"""Attention by blocks of queries against the book's, line by line, forwards and backwards."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lab.model import AttentionTap, GPTConfig, GPTModel, blockwise
from lab.model.attention import MultiHeadAttention


def passes(
    attention: MultiHeadAttention, x: Tensor, tap: AttentionTap | None
) -> tuple[Tensor, ...]:
    """The output, and the gradients of everything that took part."""
    x = x.clone().requires_grad_()
    attention.zero_grad()
    y = attention(x, tap=tap)
    pattern = torch.linspace(-1, 1, y.numel()).view_as(y).cos()
    (y * pattern).sum().backward()
    assert x.grad is not None
    weights = [parameter.grad for parameter in attention.parameters()]
    return y.detach(), x.grad, *(weight for weight in weights if weight is not None)


# Lengths that four blocks cut evenly, unevenly, and into fewer than four.
@pytest.mark.parametrize("tokens", [64, 61, 5, 3, 1])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 2e-2)]
)
def test_it_is_the_books_attention(
    tokens: int, dtype: torch.dtype, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    original = blockwise.blockwise_attention

    def counted(qkv: Tensor, *, heads: int) -> Tensor:
        made.append(heads)
        return original(qkv, heads=heads)

    monkeypatch.setattr("lab.model.attention.blockwise_attention", counted)
    torch.manual_seed(1)
    attention = MultiHeadAttention(GPTConfig(layers=1, width=24, heads=3, context=64))
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.normal_(0, 0.4)
    x = torch.randn(2, tokens, 24)
    if dtype == torch.float64:
        attention.double()
    wanted = passes(attention, x.double() if dtype == torch.float64 else x, AttentionTap())
    assert not made
    found = passes(attention, x.to(dtype), None)
    assert made == [3]
    for one, other in zip(found, wanted, strict=True):
        assert (one.to(other.dtype) - other).norm() <= tolerance * other.norm()


def test_long_texts_and_dropout_take_the_fused_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(qkv: Tensor, *, heads: int) -> Tensor:
        raise AssertionError

    monkeypatch.setattr("lab.model.attention.blockwise_attention", never)
    shape = GPTConfig(layers=1, width=8, heads=2, context=513, vocab_size=11)
    GPTModel(shape)(torch.zeros(1, 513, dtype=torch.long))
    dropping = GPTModel(replace(shape, dropout=0.5))
    dropping(torch.zeros(1, 8, dtype=torch.long))
    with torch.no_grad():
        dropping.eval()(torch.zeros(1, 8, dtype=torch.long))
    with pytest.raises(AssertionError):
        dropping(torch.zeros(1, 8, dtype=torch.long))
