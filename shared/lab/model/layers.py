"""torch's Linear and LayerNorm, whose weights stay in fp32 whatever type they are used in.

What is multiplied may be bf16, with half the bits and on many processors several times the speed:
the input's type decides. The weights must not be. A step changes a weight by about a thousandth of
it, and bf16 knows no number between 1 and 1.008, so most updates would be rounded away.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from lab import kernels


class Linear(nn.Linear):
    """y = x W^T + b, in the type of x. Gradients arrive at the weights in fp32."""

    # Whether backward may add to .grad by itself, where that saves passes over memory. Only for who
    # calls `backward` and nothing else: autograd is told that there is no gradient.
    adds_gradients = False
    # Whether what is in .grad counts as zero: then the first sum replaces it, and nobody has to set
    # it to zero before. Gradients are as many numbers as weights, and each pass over them shows.
    fresh = False

    def forward(self, x: Tensor) -> Tensor:
        if self._adds(x):
            y: Tensor = _AddingLinear.apply(x, self.weight, self.bias, self)  # type: ignore[no-untyped-call]
            return y
        if self.fresh and torch.is_grad_enabled():
            self.set_to_zero()
        return F.linear(x, self.weight.to(x.dtype), self.bias.to(x.dtype))

    def set_to_zero(self) -> None:
        """The gradients, and not only in name."""
        for parameter in self.parameters():
            if parameter.grad is not None:
                parameter.grad.zero_()
        self.fresh = False

    def _adds(self, x: Tensor) -> bool:
        return (
            self.adds_gradients
            and torch.is_grad_enabled()
            and x.dtype == torch.bfloat16
            and x.device.type == "cpu"
            and self.weight.grad is not None
            and self.bias.grad is not None
            and not torch.compiler.is_compiling()
            and kernels.operations() is not None
        )


class _AddingLinear(torch.autograd.Function):
    """The same products as autograd makes of F.linear: dx = dy W, dW = dy^T x, db = sum of dy."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, layer: Linear) -> Tensor:
        used = weight.to(x.dtype)  # (out, in)
        ctx.save_for_backward(x, used)
        ctx.gradients, ctx.layer = (weight.grad, bias.grad), layer
        return F.linear(x, used, bias.to(x.dtype))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        x, used = ctx.saved_tensors
        by_weight, by_bias = ctx.gradients
        flat = gradient.reshape(-1, gradient.shape[-1]).contiguous()  # (B T, out)
        by = flat.t() @ x.reshape(-1, x.shape[-1])  # (out, B T) @ (B T, in)
        torch.ops.lab.add_to_gradient(by_weight, by, ctx.layer.fresh)
        torch.ops.lab.add_sum_to_gradient(by_bias, flat, ctx.layer.fresh)
        ctx.layer.fresh = False
        return (flat @ used).view_as(x), None, None, None


class LayerNorm(nn.LayerNorm):
    """Mean and variance in fp32; the result in the type of x."""

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type == "cpu" or x.dtype == torch.float32:
            return super().forward(x)  # torch's kernel for processors does just that
        return super().forward(x.float()).to(x.dtype)
