"""The logit lens: what the model would predict if it stopped after fewer blocks.

Every block adds to the same stream, and the head reads that stream. So the head can be put to it
earlier (nostalgebraist, 2020): often the prediction is there many blocks before the end and only
sharpens. The final norm was trained for the last row alone, so early rows are read with a grain of
salt.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.analysis.predictions import no_pause, predictions
from lab.analysis.trace import Trace, final_norm, trace
from lab.model import GPTModel


@dataclass(frozen=True)
class Lens:
    """Row 0 is the embedding, row l what block l left, row L what the model says."""

    top_ids: Tensor  # (1 + L, T, top)
    top_probabilities: Tensor  # (1 + L, T, top)
    next_probability: Tensor  # (1 + L, T) of the token that came next; NaN after the last
    entropy: Tensor  # (1 + L, T) nats
    kl: Tensor  # (1 + L, T) of the last row to this one: how far it is from what will be said


@torch.inference_mode()
def lens(
    model: GPTModel,
    ids: Sequence[int],
    *,
    top: int = 5,
    places: slice = slice(None),
    vocab_size: int | None = None,
    walked: Trace | None = None,
    between_pieces: Callable[[], None] = no_pause,
) -> Lens:
    """The final norm and the head, put to the residual stream after each block.

    Of the tokens at `places`, which are then the T of the answer: a row of a long text is one
    product with the head for each token, and who looks at a table sees a part of it.
    """
    walked = walked or trace(model, ids)
    rows = [final_norm(model)(stream[places]) for stream in walked.stream]  # (T, C) each
    read = predictions(
        model,
        rows,
        [*ids[1:], None][places],
        top=top,
        vocab_size=vocab_size or model.config.vocab_size,
        between_pieces=between_pieces,
    )
    return Lens(
        top_ids=torch.stack([row.top_ids for row in read]),
        top_probabilities=torch.stack([row.top_probabilities for row in read]),
        next_probability=torch.stack([row.log_probability.exp() for row in read]),
        entropy=torch.stack([row.entropy for row in read]),
        kl=torch.stack([row.kl for row in read]),
    )
