"""Direct logit attribution: a token's score, taken apart into what each part of the model wrote.

The last stream is a sum: embedding, position, and what every head and every feed-forward layer
added. With the final norm's scale held fixed the score is linear in the stream, so it is a sum of
their votes too. It tells what was said directly, not what a part did by way of later ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.analysis.attention import head_values
from lab.analysis.trace import Trace, blocks, final_norm, trace
from lab.model import GPTModel


@dataclass(frozen=True)
class Attribution:
    """Parts of one score; together they are `score`."""

    heads: Tensor  # (L, H)
    ffn: Tensor  # (L)
    token: Tensor  # (1) the embedding of the token at that place
    place: Tensor  # (1) its position vector
    biases: Tensor  # (1) of the attention outputs and of the final norm
    score: Tensor  # (1)
    target: Tensor  # (1) id of the token asked about


@torch.inference_mode()
def attribution(
    model: GPTModel,
    ids: Sequence[int],
    *,
    position: int | None = None,
    target: int | None = None,
    against: int | None = None,
    vocab_size: int | None = None,
    walked: Trace | None = None,
) -> Attribution:
    """Of the score of `target` after `position` (the last, and the likeliest, unless told), less
    the score of `against` if there is one."""
    position = len(ids) - 1 if position is None else position
    layers = range(model.config.layers)
    walked = walked or trace(model, ids, weights_of=layers)
    norm = final_norm(model)
    logits = model.logits(walked.hidden[position])[:vocab_size]  # (V)
    chosen = int(logits.argmax()) if target is None else target
    direction = model.head_weight[chosen]  # (C)
    if against is not None:
        direction = direction - model.head_weight[against]
    last = walked.stream[-1][position]  # (C)
    # LayerNorm: take the mean off, divide by the spread (held fixed), stretch. The first and the
    # last are linear, so they can be moved onto the direction: vote = part . readout.
    spread = (last.var(unbiased=False) + norm.eps).sqrt()
    stretched = direction * norm.weight / spread
    readout = stretched - stretched.mean()  # (C)
    heads = []
    for layer in layers:
        weights = walked.blocks[layer].weights
        assert weights is not None
        values = head_values(model, walked, layer)  # (H, T, C)
        heads.append(torch.einsum("hk,hkc,c->h", weights[:, position].float(), values, readout))
    biases = sum(
        (block.attn.c_proj.bias @ readout for block in blocks(model)),
        start=norm.bias @ direction,
    )
    return Attribution(
        heads=torch.stack(heads),
        ffn=torch.stack([block.feed_forward[position] @ readout for block in walked.blocks]),
        token=(walked.tokens[position] @ readout).reshape(1),
        place=(walked.places[position] @ readout).reshape(1),
        biases=biases.reshape(1),
        score=(logits[chosen] - (0 if against is None else logits[against])).reshape(1),
        target=torch.tensor([chosen]),
    )
