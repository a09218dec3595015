"""Penalties, top-k, top-p, min-p, temperature and the draw itself, as pure functions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.inference.generation.noise import gumbel
from services.inference.generation.options import Options
from services.inference.generation.sampler import Candidates, choose

SCORES = np.array([2.0, 1.0, 0.0, -1.0])
NOTHING: Mapping[int, int] = {}


def _options(**values: Any) -> Options:
    return Options(**{"max_tokens": 1, "seed": 1, "end_of_text": 50_256, **values})


def _candidates(scores: np.ndarray[Any, np.dtype[np.float64]] = SCORES) -> Candidates:
    return Candidates(np.arange(len(scores)), scores)


def _softmax(scores: Any) -> Any:
    return np.exp(scores) / np.exp(scores).sum()


def _counts(draws: int = 4000, **values: Any) -> Any:
    """How often each token is drawn at so many places of one text."""
    options = _options(seed=11, **values)
    drawn = [choose(_candidates(), options, place=n, seen=NOTHING) for n in range(draws)]
    return np.bincount(drawn, minlength=len(SCORES))


def _chi_square(counts: Any, shares: Any) -> float:
    expected = shares * counts.sum()
    return float(((counts - expected) ** 2 / expected).sum())


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_as_often_as_their_probability_says(temperature: float) -> None:
    counts = _counts(temperature=temperature)
    # Three degrees of freedom: 16.3 is passed by chance once in a thousand; the seed is fixed.
    assert _chi_square(counts, _softmax(SCORES / temperature)) < 16.3


def test_top_k_draws_among_the_k_likeliest_only() -> None:
    counts = _counts(top_k=2)
    assert counts[2:].tolist() == [0, 0]
    assert _chi_square(counts[:2], _softmax(SCORES[:2])) < 10.8


def test_a_top_k_beyond_the_vocabulary_leaves_all_open() -> None:
    assert _counts(top_k=1000).tolist() == _counts().tolist()


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [(1e-6, 1), (0.64, 1), (0.65, 2), (0.89, 3), (0.97, 4), (1.0, 4)],  # .644 .881 .968 1
)
def test_top_p_keeps_the_fewest_that_have_the_mass(top_p: float, kept: int) -> None:
    counts = _counts(top_p=top_p)
    assert (counts > 0).tolist() == [n < kept for n in range(4)]
    if kept > 1:
        assert _chi_square(counts[:kept], _softmax(SCORES[:kept])) < 16.3


@pytest.mark.parametrize(("min_p", "kept"), [(0.0, 4), (0.04, 4), (0.1, 3), (0.36, 2), (1.0, 1)])
def test_min_p_keeps_what_is_not_much_rarer_than_the_likeliest(min_p: float, kept: int) -> None:
    assert (_counts(min_p=min_p) > 0).tolist() == [n < kept for n in range(4)]


def test_the_cuts_come_before_the_temperature() -> None:
    # At temperature 5 the first token would have a share of 0.33; top-p still sees its 0.64.
    assert (_counts(top_p=0.6, temperature=5.0) > 0).tolist() == [True, False, False, False]
    assert (_counts(min_p=0.3, temperature=5.0) > 0).tolist() == [True, True, False, False]


def test_top_p_looks_at_what_top_k_left() -> None:
    # Of the first two alone the first has 0.73: enough for 0.7, though of all four it has 0.64.
    assert (_counts(top_k=2, top_p=0.7) > 0).tolist() == [True, False, False, False]


@pytest.mark.parametrize("temperature", [0.0, 5e-324, 1e-300, 1e-5, 1e-3])
def test_next_to_no_temperature_takes_the_likeliest(temperature: float) -> None:
    assert choose(_candidates(), _options(temperature=temperature), place=3, seen=NOTHING) == 0


@pytest.mark.parametrize(
    ("penalty", "seen", "expected"),
    [
        ({"presence_penalty": 1.5}, {0: 1}, 1),
        ({"presence_penalty": 0.5}, {0: 9}, 0),  # once, however often the token came
        ({"frequency_penalty": 0.2}, {0: 4}, 0),
        ({"frequency_penalty": 0.2}, {0: 6}, 1),
        ({"repetition_penalty": 2.5}, {0: 1}, 1),
        ({"repetition_penalty": 1.5}, {0: 1}, 0),
        ({"presence_penalty": -5.0}, {3: 1}, 3),
        ({}, {0: 100}, 0),
    ],
)
def test_penalties_lower_what_the_text_has_already(
    penalty: dict[str, float], seen: dict[int, int], expected: int
) -> None:
    options = _options(temperature=0, **penalty)
    assert choose(_candidates(), options, place=0, seen=seen) == expected


def test_a_repetition_penalty_lowers_negative_scores_too() -> None:
    scores = np.array([-1.0, -1.5])
    options = _options(temperature=0, repetition_penalty=2.0)
    assert choose(_candidates(scores), options, place=0, seen={0: 1}) == 1


def test_chance_depends_on_seed_place_and_token_alone() -> None:
    tokens = np.arange(1000)
    one = gumbel(5, 7, tokens)
    assert (gumbel(5, 7, tokens[::-1])[::-1] == one).all()
    assert gumbel(5, 7, np.array([400]))[0] == one[400]
    for other in (gumbel(6, 7, tokens), gumbel(5, 8, tokens), gumbel(5 + (1 << 63), 7, tokens)):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.12
        assert (other != one).all()


def test_chance_is_gumbel() -> None:
    drawn = np.concatenate([gumbel(3, place, np.arange(50_257)) for place in range(4)])
    # Mean is Euler's constant, spread pi / sqrt 6; the standard error is 0.003.
    assert drawn.mean() == pytest.approx(0.5772, abs=0.012)
    assert drawn.std() == pytest.approx(1.2825, abs=0.012)
    tenths = np.searchsorted(-np.log(-np.log(np.arange(1, 10) / 10)), drawn)
    assert _chi_square(np.bincount(tenths, minlength=10), np.full(10, 0.1)) < 27.9


@given(
    some.lists(some.floats(-30, 30), min_size=1, max_size=40),
    some.integers(0, 50),
    some.floats(1e-6, 1),
    some.floats(0, 1),
    some.floats(0, 100),
    some.integers(0, (1 << 64) - 1),
)
def test_whatever_the_options_some_candidate_is_drawn(
    scores: list[float], top_k: int, top_p: float, min_p: float, temperature: float, seed: int
) -> None:
    options = _options(seed=seed, top_k=top_k, top_p=top_p, min_p=min_p, temperature=temperature)
    ids = np.arange(len(scores)) * 7
    assert choose(Candidates(ids, np.array(scores)), options, place=1, seen={7: 2}) in ids
