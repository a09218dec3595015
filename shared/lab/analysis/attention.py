"""What each token attends to. Book: chapter 3, where attention weights are the whole subject.

A weight says where a head looked, not what came of it: a head may look at a token whose value it
then multiplies with nearly nothing. Value-weighted maps and rollout are two answers to that.
"""

from collections.abc import Sequence
from enum import Enum

import torch
from torch import Tensor
from torch.nn import functional as F

from lab.analysis.trace import Trace, blocks, trace
from lab.model import GPTModel


class Kind(Enum):
    """Which matrix."""

    WEIGHTS = "weights"
    MEAN = "mean"
    ROLLOUT = "rollout"
    VALUE_WEIGHTED = "value_weighted"


@torch.inference_mode()
def attention(
    model: GPTModel,
    ids: Sequence[int],
    *,
    layers: Sequence[int],
    heads: Sequence[int],
    kind: Kind = Kind.WEIGHTS,
    sink_hidden: bool = False,
    walked: Trace | None = None,
) -> Tensor:
    """Maps (layers, heads, T, T), in the order asked; (layers, 1, T, T) for MEAN and ROLLOUT.

    Entry [l, h, q, k] is the share of its value that token k gives to token q in that head. Each
    row sums to 1, and everything right of the diagonal is exactly 0: no token sees a later one.
    They are the weights the forward pass used, computed the long way (see MultiHeadAttention).
    """
    through = layers_read(layers, kind)
    walked = walked or trace(model, ids, weights_of=set(through))
    if kind is Kind.ROLLOUT:
        rolled = rollout(torch.stack([_weights(walked, layer) for layer in through]))
        maps = rolled[list(layers)].unsqueeze(1)
    else:
        maps = torch.stack([_of_layer(model, walked, layer, heads, kind) for layer in layers])
    return without_sink(maps) if sink_hidden else maps


def layers_read(layers: Sequence[int], kind: Kind) -> Sequence[int]:
    """Whose weights these maps are made of."""
    return range(max(layers) + 1) if kind is Kind.ROLLOUT else layers


def rollout(weights: Tensor) -> Tensor:
    """From weights (L, H, T, T): after each layer, whose embedding a token's stream is made of.

    Each layer keeps half of the stream and adds half of what its heads bring on average, and layers
    follow one another, which is a product (Abnar and Zuidema, 2020). (L, T, T)
    """
    T = weights.shape[-1]
    mixed, rolled = torch.eye(T), []
    for layer in weights.mean(1):  # (T, T)
        mixed = (0.5 * torch.eye(T) + 0.5 * layer) @ mixed
        rolled.append(mixed)
    return torch.stack(rolled)


def without_sink(maps: Tensor) -> Tensor:
    """Leaves out token 0, where heads look when they have nothing to say, and lets the rest of each
    row sum to 1. A row with nothing else is 0."""
    rest = maps.clone()
    rest[..., 0] = 0.0
    total = rest.sum(-1, keepdim=True)
    return torch.where(total > 1e-6, rest / total.clamp(min=1e-12), 0.0)


def thumbnails(maps: Tensor, *, size: int) -> Tensor:
    """Maps (L, H, T, T) averaged down to (L, H, n, n), n the smaller of size and T."""
    n = min(size, maps.shape[-1])
    return F.adaptive_avg_pool2d(maps, (n, n))


def row_divergence(one: Tensor, other: Tensor) -> Tensor:
    """Jensen-Shannon divergence of rows, (..., T) nats: 0 where equal, ln 2 where disjoint."""
    middle = (one + other) / 2

    def kl(p: Tensor) -> Tensor:
        terms: Tensor = torch.special.xlogy(p, p / middle.clamp(min=1e-30))
        return terms.sum(-1)

    return ((kl(one) + kl(other)) / 2).clamp(min=0)


def _of_layer(
    model: GPTModel, walked: Trace, layer: int, heads: Sequence[int], kind: Kind
) -> Tensor:
    weights = _weights(walked, layer)
    if kind is Kind.MEAN:
        return weights.mean(0, keepdim=True)
    if kind is Kind.VALUE_WEIGHTED:
        weights = _value_weighted(model, walked, layer, weights)
    return weights[list(heads)]


def _value_weighted(model: GPTModel, walked: Trace, layer: int, weights: Tensor) -> Tensor:
    """Weight times the length of what the head would write for that key, rows scaled to sum 1
    (Kobayashi et al., 2020). weights (H, T, T)."""
    written = head_values(model, walked, layer).norm(dim=-1)  # (H, T)
    scaled: Tensor = weights * written[:, None, :]
    return scaled / scaled.sum(-1, keepdim=True).clamp(min=1e-30)


def head_values(model: GPTModel, walked: Trace, layer: int) -> Tensor:
    """What each head would write to the stream for each key if it looked at nothing else,
    (H, T, C): the value through the head's part of the output matrix."""
    config, block = model.config, blocks(model)[layer]
    normed = block.ln_1(walked.blocks[layer].entered)  # (T, C)
    v = block.attn.c_attn(normed).split(config.width, dim=1)[2]  # (T, C)
    v = v.view(-1, config.heads, config.head_width)  # (T, H, D)
    out = block.attn.c_proj.weight.view(config.width, config.heads, config.head_width)  # (C, H, D)
    return torch.einsum("thd,chd->htc", v, out)


def _weights(walked: Trace, layer: int) -> Tensor:
    weights = walked.blocks[layer].weights
    assert weights is not None
    return weights.float()
