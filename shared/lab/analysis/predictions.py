"""What the model expects next, read off states (T, C) along a text: the head, in pieces.

The logits of a long text, T x V numbers, are 200 MB and more; here only one piece of them is alive
at a time, and of each only what was asked for stays. Whatever needs all V of them is one pass.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.model import GPTModel

PIECE_ROWS = 64  # 13 MB of logits
_BLOCK = 128  # logits that are searched for the largest together


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
    """What n places hold of all tokens: ln p of a token is its logit less the total."""

    logits: Tensor  # (n, V)
    total: Tensor  # (n)
    p: Tensor  # (n, V)

    def mean_under(self, p: Tensor) -> Tensor:
        """What p expects of ln p of these, (n). p is (n, V), or (m, V) for the n = r m places of r
        rows, which then all mean the same m."""
        # One product of vectors after the other takes an eighth of the time of torch.bmm.
        dots = [row.dot(p[place % len(p)]) for place, row in enumerate(self.logits)]
        return torch.stack(dots) - self.total


class _Head:
    """The head with memory for one piece, used again for each: asking the system for 13 MB and
    giving them back takes as long as filling them."""

    def __init__(self, model: GPTModel, *, rows: int, vocab_size: int) -> None:
        self._weight = model.head_weight[:vocab_size]  # (V, C)
        self._logits = self._weight.new_empty(rows, vocab_size)
        self._p = torch.empty_like(self._logits)

    def expected(self, states: Tensor) -> _Expected:
        """Of states (n, C), until the next are asked about."""
        logits, p = (each[: len(states)] for each in (self._logits, self._p))  # (n, V)
        torch.mm(states, self._weight.T, out=logits)
        most = logits.amax(1)  # (n), off which the powers of e stay finite
        torch.sub(logits, most[:, None], out=p).exp_()
        sums = p.sum(1)  # (n)
        p /= sums[:, None]
        return _Expected(logits, most + sums.log(), p)


def no_pause() -> None:
    """Nobody else is waiting."""


@torch.inference_mode()
def predictions(
    model: GPTModel,
    states: Sequence[Tensor],
    following: Sequence[int | None],
    *,
    top: int,
    vocab_size: int,
    between_pieces: Callable[[], None] = no_pause,
) -> list[Predictions]:
    """Of one or several rows of states (T, C), normed and ready for the head; the last row is what
    the model says. `following` are the tokens that came next."""
    rows = torch.stack(list(states))  # (R, T, C)
    R, T, C = rows.shape
    places = min(T, max(1, PIECE_ROWS // R))
    head = _Head(model, rows=R * places, vocab_size=vocab_size)
    pieces = []
    # All rows of a few places at once: one large product, and the last row beside the others.
    for where in _pieces(T, places):
        between_pieces()
        every = head.expected(rows[:, where].reshape(-1, C))  # of R n states
        n = where.stop - where.start
        of_every = every.mean_under(every.p[-n:])  # what is said at last expects, (R n)
        kl = of_every[-n:].repeat(R) - of_every
        read = (*_last_read(every, list(following[where]) * R, top), kl)
        pieces.append([part.view(R, n, *part.shape[1:]) for part in read])
    whole = [torch.cat(part, dim=1) for part in zip(*pieces, strict=True)]  # (R, T, ...)
    return [Predictions(*(part[row] for part in whole)) for row in range(R)]


@torch.inference_mode()
def divergence(
    one: GPTModel,
    other: GPTModel,
    ids: Sequence[int],
    *,
    vocab_size: int,
    between_pieces: Callable[[], None] = no_pause,
) -> Tensor:
    """KL(one || other) of what two models expect after each token, (T), in nats."""
    states = [model.hidden(torch.tensor([list(ids)]))[0] for model in (one, other)]  # (T, C)
    heads = [_Head(m, rows=PIECE_ROWS, vocab_size=vocab_size) for m in (one, other)]
    parts = []
    for where in _pieces(len(ids), PIECE_ROWS):
        between_pieces()
        said, heard = (head.expected(row[where]) for head, row in zip(heads, states, strict=True))
        parts.append(said.mean_under(said.p) - heard.mean_under(said.p))
    return torch.cat(parts)


def largest(logits: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` largest of each row of (n, V) and where they are, largest first: topk, but quick.

    topk copies each row as pairs and sorts them in part, which takes longer than the product that
    made the row. Who is among the k largest lies in one of the k blocks whose largest are largest,
    so the largest of each block, one pass, tell where to look.
    """
    n, V = logits.shape
    whole = V - V % _BLOCK
    if whole < count * _BLOCK:
        found = logits.topk(count)
        return found.values, found.indices
    in_blocks = logits[:, :whole].view(n, -1, _BLOCK)  # (n, b, 128)
    blocks = in_blocks.amax(2).topk(count).indices  # (n, count)
    first = (blocks * _BLOCK)[:, :, None]
    ids = (first + torch.arange(_BLOCK)).flatten(1)  # (n, count x 128)
    ids = torch.cat([ids, torch.arange(whole, V).expand(n, -1)], dim=1)  # and what is left over
    found = logits.gather(1, ids).topk(count)
    return found.values, ids.gather(1, found.indices)


def _last_read(one: _Expected, following: Sequence[int | None], top: int) -> tuple[Tensor, ...]:
    """What Predictions holds, but for kl, of a piece of n places. Writes over its p."""
    entropy = -one.mean_under(one.p)
    best, best_ids = largest(one.logits, top)
    next_ids = torch.tensor([-1 if token is None else token for token in following])
    known = next_ids >= 0
    taken = one.logits.gather(1, next_ids.clamp(min=0)[:, None])  # (n, 1)
    # 1.0 for each that is likelier: floats compare and add up quicker than booleans, and exactly.
    likelier = torch.gt(one.logits, taken, out=one.p).sum(1).to(torch.int32)
    return (
        best_ids,
        (best - one.total[:, None]).exp(),
        entropy,
        torch.where(known, taken[:, 0] - one.total, float("nan")),
        torch.where(known, likelier, -1),
    )


def _pieces(count: int, step: int) -> Iterator[slice]:
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))
