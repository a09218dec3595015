"""What the model expects next, read off states (T, C) along a text: the head, in strips.

The logits of a long text, T x V numbers, are 200 MB and more. Here only a strip of them is alive at
a time, some tokens of the vocabulary for all places at once, small enough for a processor's own
cache; what was asked for is gathered from strip to strip. A sum of powers of e over all tokens is
kept relative to the largest logit so far, and put right when a larger one comes (online softmax;
Milakov and Gimelshein, 2018, arXiv 1805.02867).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.model import GPTModel

STRIP_NUMBERS = 1 << 19  # logits at a time, 2 MB: they stay in the cache
_MOST_ROWS = 512  # states at a time
_DEEP = 32  # logits whose largest stands for all of them at first
_NO_TOKEN = -1e30  # the logit of what is none: finite, so that 0 times it is 0


@dataclass(frozen=True)
class Predictions:
    """For each of T places."""

    top_ids: Tensor  # (T, top) likeliest first
    top_probabilities: Tensor  # (T, top)
    entropy: Tensor  # (T) in nats
    log_probability: Tensor  # (T) of the token that came next; NaN where none did
    rank: Tensor  # (T) tokens thought likelier than it; -1 where none came
    kl: Tensor  # (T) of the last states' prediction to this one, in nats


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
    weight = model.head_weight[:vocab_size]  # (V, C)
    pieces = []
    # All rows of some places at once: one large product, and the last row beside the others.
    for where in _pieces(T, max(1, _MOST_ROWS // R)):
        n = where.stop - where.start
        every = rows[:, where].reshape(-1, C)  # (R n, C)
        found = _read(every, weight, list(following[where]) * R, top, n, between_pieces)
        pieces.append([part.view(R, n, *part.shape[1:]) for part in found])
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
    weights = [model.head_weight[:vocab_size] for model in (one, other)]  # (V, C)
    found = []
    for where in _pieces(len(ids), _MOST_ROWS):
        n = where.stop - where.start
        said, heard = _Softmax(n), _Softmax(n)
        more = torch.zeros(n)  # how much larger the logits of one are, as it expects them
        for (_, mine), (_, theirs) in zip(
            *(_strips(row[where], weight) for row, weight in zip(states, weights, strict=True)),
            strict=True,
        ):
            between_pieces()
            powers = said.add(mine, mine.amax(1))
            heard.add(theirs, theirs.amax(1))
            more = more * said.shrunk + mine.sub_(theirs).mul_(powers).sum(1)
        found.append(more / said.sum + heard.logarithm - said.logarithm)
    return torch.cat(found)


def _read(
    states: Tensor,
    weight: Tensor,
    following: Sequence[int | None],
    top: int,
    last: int,
    rest: Callable[[], None],
) -> tuple[Tensor, ...]:
    """What Predictions holds, of n states (n, C), the last of which are what the model says."""
    n = len(states)
    next_ids = torch.tensor([-1 if token is None else token for token in following])  # (n)
    # Rounded otherwise than in the strips, so it may seem larger than itself there.
    taken = (states * weight[next_ids]).sum(1)  # (n)
    next_logit, likelier = torch.full((n,), float("nan")), torch.zeros(n)
    after, best = _Softmax(n), _Likeliest(states, weight, top)
    own, as_said = torch.zeros(n), torch.zeros(n // last, last)  # sums of powers times logits
    for first, logits in _strips(states, weight):
        rest()
        # 1.0 for each that is likelier: floats compare and add up quicker than booleans.
        likelier += torch.gt(logits, taken[:, None], out=after.room(logits)).sum(1)
        here = ((next_ids >= first) & (next_ids < first + logits.shape[1])).nonzero()[:, 0]
        next_logit[here] = logits[here, next_ids[here] - first]
        likelier[here] -= (next_logit[here] > taken[here]).float()
        powers = after.add(logits, best.add(logits, first))
        if n > last:
            said, of_rows = powers[-last:], logits.view(-1, last, logits.shape[1])
            as_said = as_said * after.shrunk[-last:] + (of_rows * said).sum(2)
        own = own * after.shrunk + logits.mul_(powers).sum(1)
    best_logits, best_ids = best.found()
    known = next_ids >= 0
    logarithm = after.logarithm
    entropy = logarithm - own / after.sum
    # The last states expect this of ln p of every row, less what they expect of their own.
    of_rows = (as_said / after.sum[-last:]).flatten() - logarithm if n > last else -entropy
    return (
        best_ids,
        (best_logits - logarithm[:, None]).exp(),
        entropy,
        torch.where(known, next_logit - logarithm, float("nan")),
        torch.where(known, likelier.to(torch.int32), -1),
        of_rows[-last:].repeat(n // last) - of_rows,
    )


def _strips(states: Tensor, weight: Tensor) -> Iterator[tuple[int, Tensor]]:
    """The first token of each strip and its logits (n, s), in memory that the next one takes again:
    asking the system for new memory takes longer than filling it."""
    n = len(states)
    width = max(_DEEP, STRIP_NUMBERS // n // _DEEP * _DEEP)
    room = states.new_empty(n * width)
    for first in range(0, len(weight), width):
        part = weight[first : first + width]  # (<= width, C)
        filled = -(-len(part) // _DEEP) * _DEEP
        logits = room[: n * filled].view(n, filled)
        torch.mm(states, part.T, out=logits[:, : len(part)])
        logits[:, len(part) :] = _NO_TOKEN
        yield first, logits


class _Softmax:
    """Powers of e of n places, strip by strip: of what lies under the largest logit so far."""

    def __init__(self, n: int) -> None:
        self._most = torch.full((n,), _NO_TOKEN)
        self.sum = torch.zeros(n)
        self.shrunk = torch.ones(n)  # what sums of powers must be multiplied with since this strip
        self._powers = torch.empty(0)

    def add(self, logits: Tensor, most: Tensor) -> Tensor:
        """The powers of a strip (n, s), until the next; `most` is the largest of each place."""
        most = torch.maximum(self._most, most)
        self.shrunk, self._most = (self._most - most).exp(), most
        powers = torch.sub(logits, most[:, None], out=self.room(logits)).exp_()
        self.sum = self.sum * self.shrunk + powers.sum(1)
        return powers

    def room(self, logits: Tensor) -> Tensor:
        """Where the powers of the strip will be; until then anybody's."""
        if self._powers.shape != logits.shape:
            self._powers = torch.empty_like(logits)
        return self._powers

    @property
    def logarithm(self) -> Tensor:
        """ln p of a token is its logit less this, (n)."""
        return self._most + self.sum.log()


class _Likeliest:
    """The `top` likeliest tokens of n places, once all strips have been seen.

    torch.topk of a strip would take longer than the product that made it. So a strip is cut into
    columns of 32 logits, and only the largest of each, one quick pass, is kept. Who is among the k
    largest lies in one of the k columns whose largest are largest: those are scored once more.
    """

    def __init__(self, states: Tensor, weight: Tensor, top: int) -> None:
        self._states, self._weight, self._top = states, weight, min(top, len(weight))
        self._peaks: list[Tensor] = []  # (n, s / 32) each
        self._columns: list[Tensor] = []  # (s / 32, 32) the tokens of each column

    def add(self, logits: Tensor, first: int) -> Tensor:
        """The largest of each place of a strip (n, s), (n)."""
        n, s = logits.shape
        peaks = logits.view(n, _DEEP, s // _DEEP).amax(1)
        self._peaks.append(peaks)
        self._columns.append(torch.arange(first, first + s).view(_DEEP, -1).T)
        return peaks.amax(1)

    def found(self) -> tuple[Tensor, Tensor]:
        """Logits and ids, (n, top) each, best first."""
        peaks, columns = torch.cat(self._peaks, dim=1), torch.cat(self._columns)
        chosen = peaks.topk(min(self._top, len(columns))).indices  # (n, top)
        pairs = []
        for state, its_columns in zip(self._states, chosen, strict=True):
            ids = columns[its_columns].flatten()  # (top x 32)
            ids = ids[ids < len(self._weight)]
            best = torch.mv(self._weight.index_select(0, ids), state).topk(self._top)
            pairs.append((best.values, ids[best.indices]))
        values, best_ids = zip(*pairs, strict=True)
        return torch.stack(values), torch.stack(best_ids)


def _pieces(count: int, step: int) -> Iterator[slice]:
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))
