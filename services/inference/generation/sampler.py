"""From scores to a token. Book: sections 5.3.1 (temperature) and 5.3.2 (top-k).

The model scores every token of the vocabulary; the higher, the likelier it comes next. Always
taking the highest is called greedy: it repeats itself soon. So a token is drawn at random instead,
with two knobs on how much chance is allowed.
"""

import torch
from torch import Tensor

GREEDY_BELOW = 1e-4  # scores divided by less than this leave all probability on one token anyway


def draw(logits: Tensor, *, temperature: float, top_k: int, generator: torch.Generator) -> int:
    """One token id for scores (V,). `top_k` 0 leaves the whole vocabulary open."""
    if temperature < GREEDY_BELOW:
        return int(logits.argmax())
    scores = logits.double()
    if 0 < top_k < scores.numel():
        # Keep the k likeliest. The long tail of unlikely tokens is where nonsense comes from: each
        # has next to no probability, but there are fifty thousand of them. Minus infinity becomes
        # probability 0.
        kept = scores.topk(top_k)
        scores = torch.full_like(scores, float("-inf")).scatter(0, kept.indices, kept.values)
    # Dividing by a temperature below 1 widens the distances between scores, so the likely get
    # likelier; above 1 it narrows them, so the text gets bolder. Taking the maximum off first
    # changes no probability and keeps the exponentials small.
    probabilities = ((scores - scores.max()) / temperature).softmax(dim=0)  # (V,), sums to 1
    # Draws i with probability p_i: of independent waiting times with rates p_i, the i-th is the
    # shortest with probability p_i, and Exp(1) / p_i is such a time.
    waits = torch.empty_like(probabilities).exponential_(generator=generator)
    return int((probabilities / waits).argmax())


def likeliest(logits: Tensor, count: int) -> list[tuple[int, float]]:
    """The `count` likeliest tokens and their probabilities under the model, best first."""
    best = logits.double().softmax(dim=0).topk(min(count, logits.numel()))
    return list(zip(best.indices.tolist(), best.values.tolist(), strict=True))


def probability(logits: Tensor, token: int) -> float:
    """Of one token, under the model: before temperature and top-k."""
    return float(logits.double().softmax(dim=0)[token])
