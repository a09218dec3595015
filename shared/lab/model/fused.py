"""Attention and GELU as kernels of our own, where the processor has what they want.

In training and in bf16 only. What they compute is written in torch in blockwise.py and
feed_forward.py, and how in lab/kernels/attention.h and gelu.h.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from lab import kernels

_HEAD_WIDTH = 32  # a head must be a multiple of it


def suits_tiles(qkv: Tensor, *, heads: int) -> bool:
    """Whether `tiled_attention` is to be had for these, (B, T, 3 C)."""
    return (
        _may_be_fused(qkv)
        and torch.is_grad_enabled()
        and qkv.shape[2] // 3 % (heads * _HEAD_WIDTH) == 0
        and kernels.tiled_operations() is not None
    )


def tiled_attention(qkv: Tensor, *, heads: int) -> Tensor:
    """Queries, keys and values side by side (B, T, 3 C) in; the joined heads (B, T, C) out."""
    joined: Tensor = _TiledAttention.apply(qkv, heads)  # type: ignore[no-untyped-call]
    return joined


def gelu(x: Tensor) -> Tensor:
    """In its tanh form; the shape stays."""
    if not _may_be_fused(x) or kernels.operations() is None:
        return F.gelu(x, approximate="tanh")
    y: Tensor = _Gelu.apply(x)  # type: ignore[no-untyped-call]
    return y


def _may_be_fused(x: Tensor) -> bool:
    """The compiler fuses by itself, and cannot look into what others have."""
    return (
        x.dtype == torch.bfloat16
        and x.device.type == "cpu"
        and x.is_contiguous()
        and not torch.compiler.is_compiling()
    )


class _TiledAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, qkv: Tensor, heads: int) -> Tensor:
        joined: Tensor
        joined, norms = torch.ops.lab.attention_forward(qkv, heads)
        ctx.save_for_backward(qkv, joined, norms)  # no weights: they are made again
        ctx.heads = heads
        return joined

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        saved = ctx.saved_tensors
        back = torch.ops.lab.attention_backward(gradient.contiguous(), *saved, ctx.heads)
        return back, None


class _Gelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        y: Tensor = torch.ops.lab.gelu_forward(x)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        back: Tensor = torch.ops.lab.gelu_backward(gradient.contiguous(), x)
        return back
