"""Taps take numbers out of a forward pass while it runs, without changing it.

A block that is given a tap computes attention the long way (see MultiHeadAttention), because the
fused kernel never forms the weights. What is shown is thus what was used.
"""

from torch import Tensor


class AttentionTap:
    """Give one to a layer; it holds that layer's attention weights (B, H, T, S) afterwards."""

    def __init__(self) -> None:
        self.weights: Tensor | None = None

    def taken(self) -> Tensor:
        if self.weights is None:
            raise ValueError("nothing was taken: the tap was in no forward pass")
        return self.weights
