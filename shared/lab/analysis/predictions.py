"""What the model expects next, read off states (T, C) along a text: the head, in pieces.

The logits of a long text, T x V numbers, are 200 MB and more; here only one piece of them is alive
at a time, and of each only what was asked for stays. Whatever needs all V of them is one pass.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.model import GPTModel

PIECE_TOKENS = 64  # 13 MB of logits


@dataclass(frozen=True)
class Predictions:
    """For each of T places."""

    top_ids: Tensor  # (T, top) likeliest first
    top_probabilities: Tensor  # (T, top)
    entropy: Tensor  # (T) in nats
    log_probability: Tensor  # (T) of the token that came next; NaN where none did
    rank: Tensor  # (T) tokens thought likelier than it; -1 where none came
    kl: Tensor  # (T) of the last states' prediction to this one, in nats


@dataclass(frozen=True)
class _Expected:
    """A piece of n places: ln p of a token is its logit less the total."""

    logits: Tensor  # (n, V)
    total: Tensor  # (n)
    p: Tensor  # (n, V)

    @classmethod
    def of(cls, model: GPTModel, states: Tensor, vocab_size: int) -> "_Expected":
        logits = model.logits(states)[:, :vocab_size].float()
        total = logits.logsumexp(1)
        return cls(logits, total, (logits - total[:, None]).exp_())

    def mean_under(self, p: Tensor) -> Tensor:
        """What p (n, V) expects of ln p of these, (n)."""
        return torch.bmm(p[:, None], self.logits[:, :, None])[:, 0, 0] - self.total


@torch.inference_mode()
def predictions(
    model: GPTModel,
    states: Sequence[Tensor],
    following: Sequence[int | None],
    *,
    top: int,
    vocab_size: int,
) -> list[Predictions]:
    """Of one or several rows of states (T, C), normed and ready for the head; the last row is what
    the model says. `following` are the tokens that came next."""
    pieces: list[list[tuple[Tensor, ...]]] = [[] for _ in states]
    for where in _pieces(len(following)):
        said = _Expected.of(model, states[-1][where], vocab_size)
        sure = said.mean_under(said.p)  # what it expects of its own ln p: minus its entropy
        for row, kept in zip(states, pieces, strict=True):
            one = said if row is states[-1] else _Expected.of(model, row[where], vocab_size)
            kept.append((*_read(one, following[where], top), sure - one.mean_under(said.p)))
    return [Predictions(*(torch.cat(part) for part in zip(*row, strict=True))) for row in pieces]


@torch.inference_mode()
def divergence(one: GPTModel, other: GPTModel, ids: Sequence[int], *, vocab_size: int) -> Tensor:
    """KL(one || other) of what two models expect after each token, (T), in nats."""
    states = [model.hidden(torch.tensor([list(ids)]))[0] for model in (one, other)]  # (T, C)
    parts = []
    for where in _pieces(len(ids)):
        said = _Expected.of(one, states[0][where], vocab_size)
        heard = _Expected.of(other, states[1][where], vocab_size)
        parts.append(said.mean_under(said.p) - heard.mean_under(said.p))
    return torch.cat(parts)


def _read(one: _Expected, following: Sequence[int | None], top: int) -> tuple[Tensor, ...]:
    """What Predictions holds, but for kl, of a piece of n places."""
    best = one.logits.topk(top)
    next_ids = torch.tensor([-1 if token is None else token for token in following])
    known = next_ids >= 0
    taken = one.logits.gather(1, next_ids.clamp(min=0)[:, None])  # (n, 1)
    likelier = (one.logits > taken).sum(1)
    return (
        best.indices,
        (best.values - one.total[:, None]).exp(),
        -one.mean_under(one.p),
        torch.where(known, taken[:, 0] - one.total, float("nan")),
        torch.where(known, likelier, -1),
    )


def _pieces(count: int) -> Iterator[slice]:
    for start in range(0, count, PIECE_TOKENS):
        yield slice(start, min(start + PIECE_TOKENS, count))
