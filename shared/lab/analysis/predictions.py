"""What the model expects next, for states (N, C) along a text: the head, in pieces.

The logits of a long text, T x V numbers, are 200 MB and more; here only one piece of them is alive
at a time, and of each only what was asked for stays.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.model import GPTModel

PIECE_TOKENS = 64  # 13 MB of logits


@dataclass(frozen=True)
class Predictions:
    """For each of N places."""

    top_ids: Tensor  # (N, top) likeliest first
    top_probabilities: Tensor  # (N, top)
    entropy: Tensor  # (N) in nats
    log_probability: Tensor  # (N) of the token that came next; NaN where none did
    rank: Tensor  # (N) tokens thought likelier than it; -1 where none came


@torch.inference_mode()
def predictions(
    model: GPTModel, hidden: Tensor, following: Sequence[int | None], *, top: int, vocab_size: int
) -> Predictions:
    """Of final hidden states (N, C); `following` are the tokens that came next."""
    said, parts = log_p(model, hidden, vocab_size=vocab_size), []
    for where in _pieces(len(hidden)):
        logarithms = said(where)  # (n, V)
        best = logarithms.topk(top)
        next_ids = torch.tensor([-1 if token is None else token for token in following[where]])
        known = next_ids >= 0
        taken = logarithms.gather(1, next_ids.clamp(min=0)[:, None])  # (n, 1)
        parts.append(
            (
                best.indices,
                best.values.exp(),
                -(logarithms.exp() * logarithms).sum(1),
                torch.where(known, taken[:, 0], float("nan")),
                torch.where(known, (logarithms > taken).sum(1), -1),
            )
        )
    return Predictions(*(torch.cat(each) for each in zip(*parts, strict=True)))


def log_p(model: GPTModel, hidden: Tensor, *, vocab_size: int) -> Callable[[slice], Tensor]:
    """ln p of every next token, (n, V), for a piece of the places at a time."""
    return lambda where: model.logits(hidden[where])[:, :vocab_size].float().log_softmax(1)


@torch.inference_mode()
def divergence(
    one: Callable[[slice], Tensor], other: Callable[[slice], Tensor], count: int
) -> Tensor:
    """KL(one || other) in nats at each of `count` places, (count); both as `log_p` gives them."""
    parts = []
    for where in _pieces(count):
        p, q = one(where), other(where)
        parts.append((p.exp() * (p - q)).sum(1))
    return torch.cat(parts)


def _pieces(count: int) -> Iterator[slice]:
    for start in range(0, count, PIECE_TOKENS):
        yield slice(start, min(start + PIECE_TOKENS, count))
