"""One forward pass with everything that happens in it kept: the road that all analyses walk.

It calls the model's own parts in the model's own order, so that each number has a name. Hooks would
do the same, but they would also fire for whoever else uses the model at the moment.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.model import AttentionTap, GPTModel, TransformerBlock
from lab.model.layers import LayerNorm


@dataclass(frozen=True)
class BlockTrace:
    """What one block saw and wrote; T tokens of one text."""

    entered: Tensor  # (T, C) the residual stream as it came
    attention: Tensor  # (T, C) what attention added
    between: Tensor  # (T, C) the stream after that
    feed_forward: Tensor  # (T, C) what the feed-forward layer added
    left: Tensor  # (T, C) the stream as it went on
    weights: Tensor | None  # (H, T, T) attention weights, where they were asked for


@dataclass(frozen=True)
class Trace:
    """A text on its way through the model. Analyses that are handed one do not walk again."""

    tokens: Tensor  # (T, C) token embeddings
    places: Tensor  # (T, C) position embeddings
    blocks: Sequence[BlockTrace]
    hidden: Tensor  # (T, C) after the final norm

    @property
    def stream(self) -> list[Tensor]:
        """The residual stream after the embedding and after each block, 1 + L times (T, C)."""
        return [self.tokens + self.places, *(block.left for block in self.blocks)]


@torch.inference_mode()
def trace(model: GPTModel, ids: Sequence[int], *, weights_of: Collection[int] = ()) -> Trace:
    """`weights_of`: the layers whose attention weights are kept, computed the long way there."""
    tokens = model.token_embedding(torch.tensor(ids))  # (T, C)
    places = model.get_parameter("transformer.wpe.weight")[: len(ids)]  # (T, C)
    x = (tokens + places).unsqueeze(0)  # (1, T, C)
    kept = []
    for layer, block in enumerate(blocks(model)):
        tap = AttentionTap() if layer in weights_of else None
        attention = block.attn(block.ln_1(x), tap=tap)
        between = x + attention
        feed_forward = block.mlp(block.ln_2(between))
        left = between + feed_forward
        weights = None if tap is None else tap.taken()[0]
        kept.append(
            BlockTrace(
                entered=x[0],
                attention=attention[0],
                between=between[0],
                feed_forward=feed_forward[0],
                left=left[0],
                weights=weights,
            )
        )
        x = left
    return Trace(tokens, places, kept, final_norm(model)(x)[0])


def blocks(model: GPTModel) -> list[TransformerBlock]:
    """The transformer blocks, first to last, by their own type."""
    found = []
    for block in model.blocks:
        assert isinstance(block, TransformerBlock)
        found.append(block)
    return found


def final_norm(model: GPTModel) -> LayerNorm:
    norm = model.transformer["ln_f"]
    assert isinstance(norm, LayerNorm)
    return norm
