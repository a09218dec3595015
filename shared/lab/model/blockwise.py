"""Causal attention for training on a processor, a block of queries at a time.

The same numbers as MultiHeadAttention._eager, made in another order. torch's fused kernel keeps no
weights and computes them a second time for the backward pass, which pays where memory is slow. Here
the weights of a short context fit into the cache, so they are kept, and the products are left to
the same fast routines as those of the other layers.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCKS = 4  # the last needs all keys, the first a quarter: 5/8 of the full square
_LONGEST = 512  # tokens; beyond, the fused kernel is as fast and keeps less


def suits(qkv: Tensor) -> bool:
    """Whether this is the faster way: measured in tests/benchmarks/README.md."""
    return qkv.device.type == "cpu" and qkv.shape[1] <= _LONGEST and torch.is_grad_enabled()


def blockwise_attention(qkv: Tensor, *, heads: int) -> Tensor:
    """Queries, keys and values side by side (B, T, 3 C) in; the joined heads (B, T, C) out."""
    joined: Tensor = _Blockwise.apply(qkv, heads)  # type: ignore[no-untyped-call]
    return joined


class _Blockwise(torch.autograd.Function):
    """softmax(Q K^T / sqrt(D)) V; G = B H, as every head of every sequence goes its own way."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, heads: int) -> Tensor:
        B, T, C = qkv.shape[0], qkv.shape[1], qkv.shape[2] // 3
        q, k, v = _split(qkv.view(B, T, 3, heads, C // heads))  # each (G, T, D)
        # The scores decide by their differences: in bf16 those of large scores would be lost.
        exact = torch.promote_types(qkv.dtype, torch.float32)
        exact_q, exact_k = q.to(exact) / math.sqrt(C // heads), k.to(exact)
        out = torch.empty_like(q)  # (G, T, D)
        kept = []
        for rows in _blocks(T):
            seen = slice(0, rows.stop)  # what lies behind the block is not even looked at
            scores = exact_q[:, rows] @ exact_k[:, seen].transpose(1, 2)  # (G, R, S)
            scores[:, :, rows] += _future(rows, scores)  # within the block, a triangle is hidden
            weights = torch.softmax(scores, dim=2, out=scores).to(qkv.dtype)  # (G, R, S)
            out[:, rows] = weights @ v[:, seen]  # (G, R, S) @ (G, S, D)
            kept.append(weights)
        ctx.save_for_backward(q, k, v, *kept)
        ctx.heads = heads
        return out.view(B, heads, T, -1).transpose(1, 2).reshape(B, T, C)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        q, k, v, *kept = ctx.saved_tensors
        B, T, C = gradient.shape
        g = gradient.view(B, T, ctx.heads, -1).transpose(1, 2).reshape(q.shape)  # (G, T, D)
        gradients = torch.zeros(3, *q.shape, dtype=q.dtype)  # of q, k and v: (3, G, T, D)
        by_q, by_k, by_v = gradients
        scale = 1 / math.sqrt(q.shape[2])
        for rows, weights in zip(_blocks(T), kept, strict=True):
            seen = slice(0, rows.stop)
            by_weights = g[:, rows] @ v[:, seen].transpose(1, 2)  # (G, R, S)
            # Of a softmax: each score's own share, less what raising it takes from all others.
            by_scores = torch._softmax_backward_data(by_weights, weights, 2, weights.dtype)
            by_q[:, rows].baddbmm_(by_scores, k[:, seen], alpha=scale)
            by_k[:, seen].baddbmm_(by_scores.transpose(1, 2), q[:, rows], alpha=scale)
            by_v[:, seen].baddbmm_(weights.transpose(1, 2), g[:, rows])
        back = gradients.view(3, B, ctx.heads, T, -1).permute(1, 3, 0, 2, 4)  # (B, T, 3, H, D)
        return back.reshape(B, T, 3 * C), None


def _split(parts: Tensor) -> Tensor:
    """(B, T, 3, H, D) to (3, G, T, D), in one copy."""
    three, batch, heads, tokens, width = (parts.shape[i] for i in (2, 0, 3, 1, 4))
    return parts.permute(2, 0, 3, 1, 4).reshape(three, batch * heads, tokens, width)


def _blocks(tokens: int) -> list[slice]:
    size = -(-tokens // BLOCKS)
    return [slice(start, min(start + size, tokens)) for start in range(0, tokens, size)]


def _future(rows: slice, scores: Tensor) -> Tensor:
    """(R, R): minus infinity where a query of the block would see a later key of it."""
    size = rows.stop - rows.start
    return torch.full((size, size), float("-inf"), dtype=scores.dtype).triu_(1)
