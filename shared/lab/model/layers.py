"""torch's Linear and LayerNorm, whose weights stay in fp32 whatever type they are used in.

What is multiplied may be bf16, with half the bits and on many processors several times the speed:
the input's type decides. The weights must not be. A step changes a weight by about a thousandth of
it, and bf16 knows no number between 1 and 1.008, so most updates would be rounded away.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Linear(nn.Linear):
    """y = x W^T + b, in the type of x. Gradients arrive at the weights in fp32."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.to(x.dtype), self.bias.to(x.dtype))


class LayerNorm(nn.LayerNorm):
    """Mean and variance in fp32; the result in the type of x."""

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type == "cpu" or x.dtype == torch.float32:
            return super().forward(x)  # torch's kernel for processors does just that
        return super().forward(x.float()).to(x.dtype)
