"""Chance, as a pure function of (seed, place in the text, token).

A stream of random numbers would tie what is drawn to everything drawn before. Here each token at
each place has a number of its own. So a text does not depend on who else is being written for, and
two checkpoints given one seed are given the same dice: their texts differ only where they do.
"""

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: neighbours land far apart
_FACTORS = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_MASK = (1 << 64) - 1


def gumbel(seed: int, place: int, tokens: NDArray[np.int64]) -> NDArray[np.float64]:
    """Independent Gumbel numbers, -ln(-ln u): the largest of score + Gumbel is a draw by softmax.

    The shuffling of bits is SplitMix64's (Steele, Lea and Flood, 2014).
    """
    key = _shuffled(np.array([seed & _MASK], np.uint64))
    key = _shuffled(key + np.array([place + 1], np.uint64) * _GOLDEN)
    bits = _shuffled(key + (tokens.astype(np.uint64) + np.uint64(1)) * _GOLDEN)
    u = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53  # in (0, 1), ends excluded
    gumbels: NDArray[np.float64] = -np.log(-np.log(u))
    return gumbels


def _shuffled(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Each bit out depends on every bit in. Arrays, not scalars: only they wrap silently."""
    z = (z ^ (z >> np.uint64(30))) * _FACTORS[0]
    z = (z ^ (z >> np.uint64(27))) * _FACTORS[1]
    return z ^ (z >> np.uint64(31))
