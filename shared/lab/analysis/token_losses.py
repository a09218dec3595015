"""How surprised a model is by each token of a text. Book: the loss is section 5.1."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.analysis.predictions import no_pause, predictions
from lab.analysis.trace import Trace, trace
from lab.model import GPTModel


@dataclass(frozen=True)
class TokenLosses:
    """A loss belongs to the token it is about; what would be likelier, to the token before it."""

    loss: Tensor  # (T) nats; NaN for the first token, which nothing predicts
    rank: Tensor  # (T) tokens thought likelier than the one that came; -1 for the first
    entropy: Tensor  # (T) of the prediction after each token, in nats
    top_ids: Tensor  # (T, top) likeliest next tokens, best first
    top_probabilities: Tensor  # (T, top)


@torch.inference_mode()
def token_losses(
    model: GPTModel,
    ids: Sequence[int],
    *,
    top: int = 5,
    vocab_size: int | None = None,
    walked: Trace | None = None,
    between_pieces: Callable[[], None] = no_pause,
) -> TokenLosses:
    """Loss of token t is -ln p(token t | tokens before it), what training makes small."""
    hidden = (walked or trace(model, ids)).hidden  # (T, C)
    (after,) = predictions(
        model,
        [hidden],
        [*ids[1:], None],
        top=top,
        vocab_size=vocab_size or model.config.vocab_size,
        between_pieces=between_pieces,
    )
    return TokenLosses(
        loss=torch.cat([torch.tensor([float("nan")]), -after.log_probability[:-1]]),
        rank=torch.cat([torch.tensor([-1]), after.rank[:-1]]),
        entropy=after.entropy,
        top_ids=after.top_ids,
        top_probabilities=after.top_probabilities,
    )
