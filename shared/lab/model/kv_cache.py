"""Keys and values of the tokens seen so far, so that generation computes each token only once.

Book: section 4.7 generates by running the whole text again for each new token, T^2 work for T
tokens. But in a causal model nothing about earlier tokens changes when one is added, so their keys
and values can be kept: then a new token costs one position.
"""

import torch
from torch import Tensor

from lab.model.config import GPTConfig


class LayerCache:
    """Keys and values of one block, in room reserved for the whole context."""

    def __init__(self, keys: Tensor, values: Tensor, *, start: int) -> None:
        self._keys = keys  # (B, H, context, D)
        self._values = values
        self._start = start

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Stores the keys and values of T new tokens, and answers those of all S tokens so far."""
        stop = self._start + keys.shape[2]
        self._keys[:, :, self._start : stop] = keys
        self._values[:, :, self._start : stop] = values
        return self._keys[:, :, :stop], self._values[:, :, :stop]


class KeyValueCache:
    """The memory of one generation: give it to every forward pass, along with the new ids only.

    It costs 2 L C numbers per token. `length` counts the tokens seen; setting it back forgets the
    ones after it.
    """

    def __init__(
        self,
        config: GPTConfig,
        *,
        batch: int = 1,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.length = 0
        shape = (config.layers, 2, batch, config.heads, config.context, config.head_width)
        self._room = torch.empty(shape, device=device, dtype=dtype)

    def layer(self, layer: int) -> LayerCache:
        """The part of one block, at the present length."""
        keys, values = self._room[layer]
        return LayerCache(keys, values, start=self.length)
