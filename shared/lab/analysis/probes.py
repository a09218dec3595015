"""The texts that heads are tested on: which ids, and which of their tokens are asked.

What a head does on a made-up text seldom is all it does, so every score is taken on two kinds: one
where only the looked-for behaviour can explain the pattern, and one of real text.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

REPEATED_TOKENS = 48  # of a random sequence, written twice: 97 tokens fit the smallest context
REPEATED_DRAWS = 4
REPEATED_SEED = 1


@dataclass(frozen=True)
class Probe:
    """Sequences of equal length, and the queries whose attention counts."""

    ids: Tensor  # (B, T)
    asked: Tensor  # (B, T) bool


def repeated_probe(
    *,
    vocab_size: int,
    start: int,
    length: int = REPEATED_TOKENS,
    draws: int = REPEATED_DRAWS,
    seed: int = REPEATED_SEED,
) -> Probe:
    """[start, filler, r, r] with r random: nothing but "what came after this last time?" predicts
    the second r.

    The first draw has no filler and `length` tokens in r; each further one has a shorter r. Were
    the distance to the first copy always the same, a head that looks so many tokens back whatever
    they are would pass for one that looks for a repetition. All tokens of a draw but the copies are
    different, so that each query has exactly one token it repeats. Asked are the queries of the
    second copy.
    """
    if length < 2 or 2 * length >= vocab_size:
        raise ValueError(f"length is {length}; it must be from 2 to {(vocab_size - 1) // 2}")
    generator = torch.Generator().manual_seed(seed)
    rows, asked = [], []
    shorter = max(1, length // (2 * draws))
    for draw in range(draws):
        n = max(2, length - draw * shorter)
        order = torch.randperm(vocab_size, generator=generator)
        order = order[order != start]
        filler, r = order[: 2 * (length - n)], order[-n:]
        rows.append(torch.cat([torch.tensor([start]), filler, r, r]))  # (1 + 2 length)
        asked.append(torch.arange(1 + 2 * length) > 2 * length - n)
    return Probe(torch.stack(rows), torch.stack(asked))


def natural_probe(texts: Sequence[Sequence[int]]) -> Probe:
    """Texts as they are, cut to the shortest. The first two tokens are not asked: to them the
    token before and the first token are the same one."""
    length = min(len(text) for text in texts)
    ids = torch.tensor([list(text[:length]) for text in texts])  # (B, T)
    asked = torch.ones_like(ids, dtype=torch.bool)
    asked[:, :2] = False
    return Probe(ids, asked)
