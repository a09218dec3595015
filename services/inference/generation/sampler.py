"""From scores to a token. Book: sections 5.3.1 (temperature) and 5.3.2 (top-k).

The model scores every token of the vocabulary; the higher, the likelier it comes next. Always
taking the highest is called greedy: it repeats itself soon. So a token is drawn at random instead,
with knobs on how much chance is allowed. They act in this order, each on what the one before left:

    penalties -> top-k -> top-p -> min-p -> temperature -> draw
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.inference.generation.noise import gumbel
from services.inference.generation.options import Options

GREEDY_BELOW = 1e-4  # scores divided by less than this leave all probability on one token anyway


@dataclass(frozen=True)
class Candidates:
    """Tokens that may be drawn: all of them, or so many of the best that the rest cannot matter."""

    ids: NDArray[np.int64]  # (n)
    scores: NDArray[np.float64]  # (n)


def choose(candidates: Candidates, options: Options, *, place: int, seen: Mapping[int, int]) -> int:
    """One token id. `place` counts the tokens before it; `seen` says how often each id is among
    those that penalties look at."""
    ids, scores = candidates.ids, candidates.scores
    if options.penalised and seen:
        scores = _penalised(ids, scores, options, seen)
    if options.temperature < GREEDY_BELOW:
        return int(ids[scores.argmax()])
    # Keep the k likeliest. The long tail of unlikely tokens is where nonsense comes from: each has
    # next to no probability, but there are fifty thousand of them.
    if 0 < options.top_k < len(ids):
        kept = np.argpartition(scores, -options.top_k)[-options.top_k :]
        ids, scores = ids[kept], scores[kept]
    if options.top_p < 1:
        kept = _nucleus(scores, options.top_p)
        ids, scores = ids[kept], scores[kept]
    if options.min_p > 0:  # p >= min_p x the largest p, said in scores
        kept = scores >= scores.max() + np.log(options.min_p)
        ids, scores = ids[kept], scores[kept]
    # Dividing by a temperature below 1 widens the distances between scores, so the likely get
    # likelier; above 1 it narrows them, so the text gets bolder. Taking the maximum off first
    # changes no probability and keeps the numbers small.
    tempered = (scores - scores.max()) / options.temperature
    return int(ids[(tempered + gumbel(options.seed, place, ids)).argmax()])


def _nucleus(scores: NDArray[np.float64], top_p: float) -> NDArray[np.int64]:
    """The fewest of the likeliest that together have the probability top_p; at least one.

    Unlike top-k it follows the model's certainty: one token where it is sure, many where it is not.
    """
    order = np.argsort(-scores, kind="stable")
    share = np.exp(scores[order] - scores[order[0]])
    before = np.cumsum(share) - share  # of each: what the likelier ones have already
    kept: NDArray[np.int64] = order[before < top_p * share.sum()]
    return kept


def _penalised(
    ids: NDArray[np.int64],
    scores: NDArray[np.float64],
    options: Options,
    seen: Mapping[int, int],
) -> NDArray[np.float64]:
    """Lowers what is in the text already. A score is a logarithm, so what is taken off it divides
    the probability; the repetition penalty, older, works by sign instead."""
    tokens = np.fromiter(seen.keys(), np.int64, len(seen))
    counts = np.fromiter(seen.values(), np.float64, len(seen))
    times = np.zeros(int(max(ids.max(), tokens.max())) + 1)
    times[tokens] = counts
    count = times[ids]  # (n)
    factor = options.repetition_penalty
    repeated = np.where(scores > 0, scores / factor, scores * factor)
    lowered = repeated - options.presence_penalty - options.frequency_penalty * count
    return np.where(count > 0, lowered, scores)
