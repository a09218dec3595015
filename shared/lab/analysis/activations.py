"""How large the residual stream is, token by token, and how its numbers are spread.

The stream is what all blocks read and add to. It grows with depth, as sums do, which is why a norm
stands before everything that reads it; one token (often the first) grows far beyond the others and
serves as a place to look at when there is nothing to look for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.analysis.trace import Trace, trace
from lab.model import GPTModel


@dataclass(frozen=True)
class Activations:
    """Euclidean norms over the C numbers of a token."""

    embedding: Tensor  # (T) token plus position vector
    pre_attention: Tensor  # (L, T) the stream before a block
    post_attention: Tensor  # (L, T) after its attention was added
    post_ffn: Tensor  # (L, T) after its feed-forward layer was added
    attention_update: Tensor  # (L, T) what attention added
    ffn_update: Tensor  # (L, T) what the feed-forward layer added
    histogram: Tensor  # (1 + 2L, bins) share of the stream's numbers, after each addition
    histogram_range: Tensor  # (1 + 2L, 2) smallest and largest


@torch.inference_mode()
def activations(
    model: GPTModel, ids: Sequence[int], *, bins: int = 40, walked: Trace | None = None
) -> Activations:
    """Norms at the embedding, before and after attention and after the feed-forward layer."""
    walked = walked or trace(model, ids)
    stages = [walked.stream[0]]
    for block in walked.blocks:
        stages += [block.between, block.left]
    spread = [histogram(stage, bins=bins) for stage in stages]

    def norms(part: str) -> Tensor:
        return torch.stack([getattr(block, part).norm(dim=-1) for block in walked.blocks])

    return Activations(
        embedding=stages[0].norm(dim=-1),
        pre_attention=norms("entered"),
        post_attention=norms("between"),
        post_ffn=norms("left"),
        attention_update=norms("attention"),
        ffn_update=norms("feed_forward"),
        histogram=torch.stack([shares for shares, _ in spread]),
        histogram_range=torch.stack([ends for _, ends in spread]),
    )


def histogram(values: Tensor, *, bins: int) -> tuple[Tensor, Tensor]:
    """Share of the values in each of `bins` equal steps from the smallest to the largest."""
    flat = values.detach().flatten().float()
    low, high = flat.min(), flat.max()
    counts = torch.histc(flat, bins=bins, min=float(low), max=float(high))
    return counts / flat.numel(), torch.stack([low, high])
