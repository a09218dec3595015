"""What each token attends to. Book: chapter 3, where attention weights are the whole subject."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lab.model import GPTModel


@torch.inference_mode()
def attention(
    model: GPTModel, ids: Sequence[int], *, layers: Sequence[int], heads: Sequence[int]
) -> Tensor:
    """Weights (L, H, T, T) of the chosen layers and heads, in the order they were given.

    Entry [l, h, q, k] is the share of its value that token k gives to token q in that head. Each
    row sums to 1, and everything right of the diagonal is exactly 0: no token sees a later one.
    They are the weights the forward pass used, computed the long way (see MultiHeadAttention).
    """
    taken = model.attention_weights(torch.tensor([list(ids)]), set(layers))  # each (1, H, T, T)
    return torch.stack([taken[layer][0, list(heads)] for layer in layers]).float()
