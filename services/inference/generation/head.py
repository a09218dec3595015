"""The output head: the likeliest tokens for hidden states, exact, without exact scores for all.

The head is the widest matrix of the model; in nano it takes most of the time of a token. Who may
draw from 40 tokens needs no exact score of the 50,217 others. So all are scored from a bf16 copy,
half as long to read, and only the best of those again in fp32. How far bf16 can be off is bounded;
if by that bound a token outside the exact ones could belong among the wanted, all are scored in
fp32. What stays rounded is the sum that makes probabilities of scores: by less than a thousandth.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
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


class Head:
    """Scores of the first `vocab_size` ids; rows that only fill the matrix up are left out."""

    def __init__(self, weight: Tensor, *, vocab_size: int, shortlist: bool | None = None) -> None:
        self._weight = weight.detach()[:vocab_size]  # (V, C)
        use = _reads_faster(self._weight) if shortlist is None else shortlist
        self._narrow = self._weight.to(torch.bfloat16) if use and vocab_size > EXACT else None

    @torch.inference_mode()
    def score(self, hidden: Tensor, options: Sequence[Options]) -> list[Scored]:
        """For hidden states (B, C), one for each of the options."""
        wanted = [_wanted(each) for each in options]
        if self._narrow is None:
            exact = F.linear(hidden, self._weight)  # (B, V)
            return [self._all(row, each) for row, each in zip(exact, options, strict=True)]
        if len(hidden) == 1:
            rough = torch.mv(self._narrow, hidden[0].to(torch.bfloat16)).unsqueeze(0)  # (1, V)
        else:
            rough = F.linear(hidden.to(torch.bfloat16), self._narrow)  # (B, V)
        rough = rough.float()
        found = []
        for h, row, count, each in zip(hidden, rough, wanted, options, strict=True):
            short = None if count is None else self._short(h, row, count, each)
            found.append(short or self._all(torch.mv(self._weight, h), each))
        return found

    def _all(self, scores: Tensor, options: Options) -> Scored:
        """Scores (V), all exact."""
        best = scores.topk(min(max(1, options.alternatives), len(scores)))
        return Scored(
            Candidates(np.arange(len(scores)), scores.numpy().astype(np.float64)),
            list(zip(best.indices.tolist(), best.values.tolist(), strict=True)),
            float(scores.double().logsumexp(0)),
        )

    def _short(self, h: Tensor, rough: Tensor, wanted: int, options: Options) -> Scored | None:
        """Hidden state (C) and rough scores (V); None when they are too close to tell."""
        listed = np.argpartition(rough.numpy(), -EXACT)[-EXACT:]  # the smallest of them first
        ids = torch.from_numpy(listed)
        scores, order = torch.mv(self._weight[ids], h).sort(descending=True)  # (256)
        ids = ids[order]
        slack = _SLACK * max(abs(float(rough.max())), abs(float(rough.min())))
        if float(scores[wanted - 1]) < float(rough[int(listed[0])]) + slack:
            return None
        rough[ids] = scores  # so that the sum is exact where it is large
        exact = scores.numpy().astype(np.float64)
        count = max(1, options.alternatives)
        return Scored(
            Candidates(ids.numpy(), exact),
            list(zip(ids[:count].tolist(), exact[:count].tolist(), strict=True)),
            float(rough.logsumexp(0)),
        )


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
def _reads_faster(weight: Tensor) -> bool:
    """Whether one row times this matrix is faster in bf16 here; the answers are the same ones."""
    narrow, x = weight.to(torch.bfloat16), torch.ones(weight.shape[1])
    narrow_x = x.to(torch.bfloat16)
    exact_secs, narrow_secs = fastest(
        [lambda: torch.mv(weight, x), lambda: torch.mv(narrow, narrow_x)], rounds=3
    )
    return exact_secs > _ADVANTAGE * narrow_secs
