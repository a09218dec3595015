"""A network prepared for writing: the forward pass of GPTModel for many texts at once.

The same numbers as GPTModel.hidden (a test holds the two together), in fewer and larger steps: the
tokens of all texts are the rows of one matrix, so that each weight is read from memory once for all
of them. That reading is what limits the speed: a text alone uses each weight for a single product.
Only attention goes text by text, since each looks at a past of its own.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from lab.model import GPTConfig, GPTModel
from lab.model.attention import causal_mask
from lab.model.block import LAYER_NORM_EPSILON

NARROW_FROM_BYTES = 64 << 20  # of block weights: smaller ones stay in the processor's caches
_ADVANTAGE = 1.25  # bf16 rounds, so it must be worth it


class Room:
    """Keys and values of one text, for as many tokens as it can get at most."""

    def __init__(self, config: GPTConfig, tokens: int, dtype: torch.dtype) -> None:
        shape = (config.layers, 2, config.heads, tokens, config.head_width)
        self.whole = torch.empty(shape, dtype=dtype)
        self.layers = self.whole.unbind(0)  # each (2, H, S, D)
        self.length = 0


@dataclass(frozen=True)
class Part:
    """The next tokens of one text."""

    room: Room
    ids: Sequence[int]


class _Matrix:
    """y = x W^T + b for x in fp32. In bf16 it is half as long to read, and x is rounded too."""

    def __init__(self, weight: Tensor, bias: Tensor, *, dtype: torch.dtype) -> None:
        self._weight, self._bias = weight.detach().to(dtype), bias.detach().to(dtype)
        if dtype != torch.float32:  # of a matrix that lies turned, torch reads one row half as fast
            self._weight = self._weight.contiguous()
        self._dtype = dtype
        self.copies_bytes = 0 if dtype == torch.float32 else self._weight.nbytes + self._bias.nbytes

    def __call__(self, x: Tensor) -> Tensor:
        x = x.to(self._dtype)
        if len(x) == 1 and self._dtype != torch.float32:  # torch's fast path for one bf16 row
            return torch.addmv(self._bias, self._weight, x[0]).unsqueeze(0)
        return F.linear(x, self._weight, self._bias)


class _Block(NamedTuple):
    norm_1: tuple[Tensor, Tensor]
    qkv: _Matrix
    out: _Matrix
    norm_2: tuple[Tensor, Tensor]
    widen: _Matrix
    narrow: _Matrix


class Decoder:
    """Holds tensors of the network, or bf16 copies of them where those are faster to read."""

    def __init__(self, network: GPTModel, *, dtype: torch.dtype | None = None) -> None:
        self.config = network.config
        self.dtype = dtype or _dtype_for(network)
        self._tokens = network.token_embedding.weight.detach()
        self._places = network.get_parameter("transformer.wpe.weight").detach()
        self._blocks = [self._block(network, layer) for layer in range(network.config.layers)]
        self._norm_f = _norm(network, "transformer.ln_f")

    @property
    def copies_bytes(self) -> int:
        """Memory taken beside the network's own."""
        return sum(
            matrix.copies_bytes
            for block in self._blocks
            for matrix in (block.qkv, block.out, block.widen, block.narrow)
        )

    def room(self, tokens: int) -> Room:
        return Room(self.config, tokens, self.dtype)

    def room_bytes(self, tokens: int) -> int:
        return 2 * self.config.layers * self.config.width * tokens * self.dtype.itemsize

    @torch.inference_mode()
    def hidden(self, parts: Sequence[Part]) -> Tensor:
        """The final hidden state of each part's last token, (B, C); the rooms grow by the parts.

        N is the number of tokens of all parts together.
        """
        C = self.config.width
        ids = torch.tensor([token for part in parts for token in part.ids])  # (N)
        places = torch.tensor(
            [part.room.length + index for part in parts for index in range(len(part.ids))]
        )
        x = self._tokens[ids] + self._places[places]  # (N, C), in fp32 throughout
        for layer, block in enumerate(self._blocks):
            qkv = block.qkv(F.layer_norm(x, (C,), *block.norm_1, LAYER_NORM_EPSILON))  # (N, 3C)
            x += block.out(self._attention(qkv, parts, layer))
            wide = block.widen(F.layer_norm(x, (C,), *block.norm_2, LAYER_NORM_EPSILON))  # (N, 4C)
            x += block.narrow(F.gelu(wide, approximate="tanh"))
        last, end = [], 0
        for part in parts:
            end += len(part.ids)
            last.append(end - 1)
            part.room.length += len(part.ids)
        kept = x if len(last) == len(x) else x[last]
        return F.layer_norm(kept, (C,), *self._norm_f, LAYER_NORM_EPSILON)  # (B, C)

    def _attention(self, qkv: Tensor, parts: Sequence[Part], layer: int) -> Tensor:
        """Stores keys and values (N, 3C) of the new tokens; what the heads found, (N, C)."""
        H, D = self.config.heads, self.config.head_width
        found, row = [], 0
        for part in parts:
            T, seen = len(part.ids), part.room.length
            S = seen + T
            mine = qkv[row : row + T].view(T, 3, H, D).permute(1, 2, 0, 3)  # (3, H, T, D)
            kept = part.room.layers[layer]  # (2, H, room, D)
            kept[:, :, seen:S] = mine[1:]
            query, keys, values = mine[:1], kept[:1, :, :S], kept[1:, :, :S]  # (1, H, T or S, D)
            # One token may look at everything; several must not look ahead among themselves.
            mask = causal_mask(T, S, device=qkv.device) if T > 1 and seen else None
            y = F.scaled_dot_product_attention(
                query, keys, values, attn_mask=mask, is_causal=T > 1 and not seen
            )  # (1, H, T, D)
            found.append(y[0].transpose(0, 1).reshape(T, H * D))
            row += T
        return found[0] if len(found) == 1 else torch.cat(found)

    def _block(self, network: GPTModel, layer: int) -> _Block:
        name = f"transformer.h.{layer}"

        def matrix(part: str) -> _Matrix:
            weight = network.get_parameter(f"{name}.{part}.weight")
            return _Matrix(weight, network.get_parameter(f"{name}.{part}.bias"), dtype=self.dtype)

        return _Block(
            norm_1=_norm(network, f"{name}.ln_1"),
            qkv=matrix("attn.c_attn"),
            out=matrix("attn.c_proj"),
            norm_2=_norm(network, f"{name}.ln_2"),
            widen=matrix("mlp.c_fc"),
            narrow=matrix("mlp.c_proj"),
        )


def block_bytes(config: GPTConfig) -> int:
    """Of the blocks' weights in fp32, which all are read for each token."""
    return 4 * config.layers * (4 + 2 * config.ffn_multiple) * config.width**2


def fastest(products: Sequence[Callable[[], object]], *, rounds: int = 5) -> list[float]:
    """Each product's best time in seconds, taken in turns so that a busy moment hits them all."""
    best = [float("inf")] * len(products)
    for _ in range(rounds):
        for index, product in enumerate(products):
            began = time.perf_counter()
            product()
            best[index] = min(best[index], time.perf_counter() - began)
    return best


@torch.inference_mode()
def _dtype_for(network: GPTModel) -> torch.dtype:
    """bf16 where the weights are too large for the caches and this processor reads it faster."""
    config = network.config
    if block_bytes(config) < NARROW_FROM_BYTES:
        return torch.float32
    names = [f"transformer.h.{layer}.mlp.c_fc" for layer in range(config.layers)]
    x = torch.ones(1, config.width)

    def all_layers(dtype: torch.dtype) -> Callable[[], object]:
        """One matrix of each layer: more than stays in a cache between two rounds."""
        matrices = [
            _Matrix(
                network.get_parameter(f"{name}.weight"),
                network.get_parameter(f"{name}.bias"),
                dtype=dtype,
            )
            for name in names
        ]
        return lambda: [matrix(x) for matrix in matrices]

    exact, narrow = fastest([all_layers(torch.float32), all_layers(torch.bfloat16)])
    return torch.bfloat16 if exact > _ADVANTAGE * narrow else torch.float32


def _norm(network: GPTModel, name: str) -> tuple[Tensor, Tensor]:
    return (
        network.get_parameter(f"{name}.weight").detach(),
        network.get_parameter(f"{name}.bias").detach(),
    )
