"""The same numbers as Decoder and the head's shortlist, by the kernels of lab.kernels.

A step of a small model is hundreds of operations of a few microseconds each, and starting them
takes longer than doing them. Here a step is one call. The weights lie in the order in which they
are read: strips of 16 outputs, input by input (decode.cpp says why).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from lab.kernels import operations
from lab.model import GPTConfig, GPTModel
from services.inference.generation.decoder import NARROW_FROM_BYTES, Part, Room, block_bytes
from services.inference.generation.head import EXACT, Listed

_LANES = 16
_PART = 2048  # rows packed at a time: a multiple of 16 that stays in the cache


def suits(config: GPTConfig) -> bool:
    """Whether the kernels are there and know the shape: all of GPT-2's sizes and ours."""
    return operations() is not None and config.width % _LANES == 0


class PackedDecoder:
    """What Decoder does, with weights of its own: bf16 beyond 64 MB, where reading is the limit.

    Each row is summed in one order whatever other rows there are, so a text is the same to the last
    bit alone and among others, and however its prompt is cut into pieces.
    """

    def __init__(self, network: GPTModel, *, dtype: torch.dtype | None = None) -> None:
        self.config = network.config
        narrow = block_bytes(network.config) >= NARROW_FROM_BYTES
        self.dtype = dtype or (torch.bfloat16 if narrow else torch.float32)
        self._tokens = network.token_embedding.weight.detach()
        self._places = network.get_parameter("transformer.wpe.weight").detach()
        matrices, vectors = [], []
        for layer in range(network.config.layers):
            for norm, *parts in (("ln_1", "attn.c_attn", "attn.c_proj"), ("ln_2", *_FEED_FORWARD)):
                vectors += _affine(network, f"transformer.h.{layer}.{norm}")
                for part in parts:
                    weight, bias = _affine(network, f"transformer.h.{layer}.{part}")
                    matrices.append(_in_strips(weight, self.dtype))
                    vectors.append(bias)
        self._matrices = torch.cat(matrices)
        self._vectors = torch.cat([*vectors, *_affine(network, "transformer.ln_f")])

    @property
    def copies_bytes(self) -> int:
        """Memory taken beside the network's own."""
        return self._matrices.nbytes + self._vectors.nbytes

    def room(self, tokens: int) -> Room:
        return Room(self.config, tokens, self.dtype)

    def room_bytes(self, tokens: int) -> int:
        return 2 * self.config.layers * self.config.width * tokens * self.dtype.itemsize

    @torch.inference_mode()
    def hidden(self, parts: Sequence[Part]) -> Tensor:
        """The final hidden state of each part's last token, (B, C); the rooms grow by the parts."""
        hidden: Tensor = torch.ops.lab.decode(
            [token for part in parts for token in part.ids],
            [len(part.ids) for part in parts],
            [part.room.length for part in parts],
            [part.room.whole for part in parts],
            *(self._tokens, self._places, self._matrices, self._vectors),
            *(self.config.heads, self.config.ffn_multiple * self.config.width),
        )
        for part in parts:
            part.room.length += len(part.ids)
        return hidden


class PackedShortlist:
    """The head once more in 8 bits a number, and how far each token's score can be off by that."""

    def __init__(self, weight: Tensor) -> None:
        """A matrix (V, C)."""
        self._weight = weight
        packed = [_in_bytes(part) for part in torch.split(weight, _PART)]
        self._narrow, self._scales, self._slacks = map(torch.cat, zip(*packed, strict=True))

    @property
    def copies_bytes(self) -> int:
        return self._narrow.nbytes + self._scales.nbytes + self._slacks.nbytes

    def listed(self, hidden: Tensor, wanted: Sequence[int]) -> list[Listed | None]:
        """For each hidden state, (B, C), at least so many of the likeliest; None: too close."""
        ids, scores, log_totals = torch.ops.lab.likeliest(
            *(hidden, self._narrow, self._scales, self._slacks, self._weight, list(wanted), EXACT)
        )
        return [
            Listed(row.numpy(), its.numpy(), log_total) if len(row) else None
            for row, its, log_total in zip(ids, scores, log_totals.tolist(), strict=True)
        ]


def _in_bytes(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows in strips of 16, four inputs side by side; what a byte of each row stands for; and how
    far |h| = 1 can get from the exact score."""
    V, C = weight.shape
    scales = weight.abs().amax(dim=1).clamp_min(1e-30) / 127  # (V)
    rounded = (weight / scales[:, None]).round_()
    near = rounded * scales[:, None]
    # |<w - near, h>| <= |w - near| |h|. The hidden state is rounded too, to 15 bits of its largest
    # number, and the sums to 24 bits of theirs.
    sides = math.sqrt(C) * (2.0**-15 + 2.0**-20)
    slacks = (weight - near).norm(dim=1) + sides * near.norm(dim=1)
    more = -V % _LANES
    strips = F.pad(rounded.add_(128).to(torch.uint8), (0, 0, 0, more), value=128)
    narrow = strips.view(-1, _LANES, C // 4, 4).permute(0, 2, 1, 3).reshape(-1)
    return narrow, F.pad(scales, (0, more)), F.pad(slacks, (0, more))


_FEED_FORWARD = ("mlp.c_fc", "mlp.c_proj")


def _affine(network: GPTModel, name: str) -> list[Tensor]:
    return [network.get_parameter(f"{name}.{kind}").detach() for kind in ("weight", "bias")]


def _in_strips(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """(outputs, inputs) in the order in which it is read; in bf16 two inputs lie side by side."""
    outputs, inputs = weight.shape
    pair = 1 if dtype == torch.float32 else 2
    strips = weight.to(dtype).view(outputs // _LANES, _LANES, inputs // pair, pair)
    return strips.permute(0, 2, 1, 3).reshape(-1)
