"""The output head: the likeliest tokens for hidden states, exact, without exact scores for all.

The head is the widest matrix of the model; in nano it takes most of the time of a token. Who may
draw from 40 tokens needs no exact score of the 50,217 others. So all are scored from a copy in
fewer bits, quicker to read, and only the best of those again in fp32. How far the copy can be off
is bounded; if by that bound a token outside the exact ones could belong among the wanted, all are
scored in fp32. What stays rounded is the sum that makes probabilities of scores: by less than a
thousandth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from services.inference.generation.decoder import fastest
from services.inference.generation.options import Options
from services.inference.generation.sampler import GREEDY_BELOW, Candidates

EXACT = 256  # tokens scored again in fp32
MOST_WANTED = 64  # more than this and all are scored in fp32 at once
_SLACK = 2.0**-6  # of the largest score: four times what rounding both factors and the sum can do
_ADVANTAGE = 1.2


@dataclass(frozen=True)
class Scored:
    """One place: who may be drawn, the likeliest ones, and what turns scores into probabilities."""

    candidates: Candidates
    best: list[tuple[int, float]]  # ids and scores, best first
    log_total: float  # ln of the sum of e^score over the vocabulary

    def log_probability(self, token: int) -> float:
        """Of a candidate, under the model."""
        where = np.flatnonzero(self.candidates.ids == token)[0]
        return float(self.candidates.scores[where]) - self.log_total


@dataclass(frozen=True)
class Listed:
    """The likeliest tokens at one place, best first, with exact scores."""

    ids: NDArray[np.int64]
    scores: NDArray[np.float64]
    log_total: float  # rounded: most of what it sums is


class Shortlist(Protocol):
    """Finds the likeliest tokens without reading all of the head."""

    @property
    def copies_bytes(self) -> int: ...

    def listed(self, hidden: Tensor, wanted: Sequence[int]) -> list[Listed | None]:
        """For each hidden state, (B, C), at least so many of the likeliest; None: too close."""
        ...


class Head:
    """Scores for hidden states, through a shortlist where that will do."""

    def __init__(self, weight: Tensor, shortlist: Shortlist | None) -> None:
        """A matrix (V, C)."""
        self._weight, self._shortlist = weight.detach(), shortlist

    @property
    def copies_bytes(self) -> int:
        return self._shortlist.copies_bytes if self._shortlist else 0

    @torch.inference_mode()
    def score(self, hidden: Tensor, options: Sequence[Options]) -> list[Scored]:
        """For hidden states (B, C), one for each of the options."""
        wanted = [_wanted(each) for each in options]
        few = [row for row, count in enumerate(wanted) if count is not None]
        found: list[Listed | None] = [None] * len(options)
        if self._shortlist and few:
            some = hidden if len(few) == len(hidden) else hidden[few]
            counts = [count for count in wanted if count is not None]
            for row, listed in zip(few, self._shortlist.listed(some, counts), strict=True):
                found[row] = listed
        return [
            _few(listed, each) if listed else self._all(h, each)
            for listed, h, each in zip(found, hidden, options, strict=True)
        ]

    def _all(self, h: Tensor, options: Options) -> Scored:
        """Hidden state (C); every token with its exact score."""
        scores = torch.mv(self._weight, h)  # (V)
        best = scores.topk(min(max(1, options.alternatives), len(scores)))
        return Scored(
            Candidates(np.arange(len(scores)), scores.numpy().astype(np.float64)),
            list(zip(best.indices.tolist(), best.values.tolist(), strict=True)),
            float(scores.double().logsumexp(0)),
        )


class Bf16Shortlist:
    """The head once more in bf16, half as long to read: rough scores, of which the best are made
    exact."""

    def __init__(self, weight: Tensor) -> None:
        """A matrix (V, C)."""
        self._weight, self._narrow = weight.detach(), weight.detach().to(torch.bfloat16)

    @property
    def copies_bytes(self) -> int:
        return self._narrow.nbytes

    def listed(self, hidden: Tensor, wanted: Sequence[int]) -> list[Listed | None]:
        if len(hidden) == 1:
            rough = torch.mv(self._narrow, hidden[0].to(torch.bfloat16)).unsqueeze(0)  # (1, V)
        else:
            rough = F.linear(hidden.to(torch.bfloat16), self._narrow)  # (B, V)
        return [
            self._row(h, row, count)
            for h, row, count in zip(hidden, rough.float(), wanted, strict=True)
        ]

    def _row(self, h: Tensor, rough: Tensor, wanted: int) -> Listed | None:
        """Hidden state (C) and rough scores (V)."""
        if len(rough) <= EXACT:
            return None
        listed = np.argpartition(rough.numpy(), -EXACT)[-EXACT:]  # the smallest of them first
        ids = torch.from_numpy(listed)
        scores, order = torch.mv(self._weight[ids], h).sort(descending=True)  # (256)
        ids = ids[order]
        slack = _SLACK * max(abs(float(rough.max())), abs(float(rough.min())))
        if float(scores[wanted - 1]) < float(rough[int(listed[0])]) + slack:
            return None
        rough[ids] = scores  # so that the sum is exact where it is large
        return Listed(ids.numpy(), scores.numpy().astype(np.float64), float(rough.logsumexp(0)))


def _few(listed: Listed, options: Options) -> Scored:
    count = max(1, options.alternatives)
    best = zip(listed.ids[:count].tolist(), listed.scores[:count].tolist(), strict=True)
    return Scored(Candidates(listed.ids, listed.scores), list(best), listed.log_total)


def _wanted(options: Options) -> int | None:
    """How many of the likeliest must be exact; None when it is all. Penalties reorder them."""
    if options.penalised:
        return None
    greedy = options.temperature < GREEDY_BELOW
    if options.top_k == 0 and not greedy:
        return None
    wanted = max(1, options.alternatives, 0 if greedy else options.top_k)
    return wanted if wanted <= MOST_WANTED else None


@torch.inference_mode()
def reads_faster(weight: Tensor) -> bool:
    """Whether one row times this matrix is faster in bf16 here; the answers are the same ones."""
    narrow, x = weight.to(torch.bfloat16), torch.ones(weight.shape[1])
    narrow_x = x.to(torch.bfloat16)
    exact_secs, narrow_secs = fastest(
        [lambda: torch.mv(weight, x), lambda: torch.mv(narrow, narrow_x)], rounds=3
    )
    return exact_secs > _ADVANTAGE * narrow_secs
