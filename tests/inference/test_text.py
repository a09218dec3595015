"""Whole characters only, and nothing from a stop string on."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.inference.generation.text import Stops, TextDeltas


def test_text_is_held_back_until_its_character_is_whole() -> None:
    deltas = TextDeltas()
    euro = "€".encode()
    assert [deltas.add(b"a"), deltas.add(euro[:1]), deltas.add(euro[1:])] == ["a", "", "€"]
    assert deltas.rest() == ""
    assert deltas.add(euro[:2]) == ""
    assert deltas.rest() == "\N{REPLACEMENT CHARACTER}"


def test_what_may_become_a_stop_is_held_back() -> None:
    stops = Stops(["\n\nQ:"])
    assert [stops.add(part) for part in ("a\n", "\n", "Q", "!")] == ["a", "", "", "\n\nQ!"]
    assert [stops.add(part) for part in ("b\n\n", "Q: more", "x")] == ["b", "", ""]
    assert stops.reached
    assert stops.rest() == ""


def test_what_never_became_one_comes_at_the_end() -> None:
    stops = Stops(["END"])
    assert stops.add("the EN") == "the "
    assert stops.rest() == "EN"
    assert not stops.reached


@pytest.mark.parametrize(
    ("stops", "shown"), [(["c", "b"], "a"), (["bc", "abcd"], ""), ([], "abcd")]
)
def test_the_first_stop_counts(stops: list[str], shown: str) -> None:
    found = Stops(stops)
    assert found.add("abcd") + found.rest() == shown
    assert found.reached == bool(stops)


@given(
    some.lists(some.text("ab", min_size=0, max_size=4), max_size=12),
    some.lists(some.text("ab", min_size=1, max_size=4), max_size=3),
)
def test_however_it_is_cut_the_text_before_the_first_stop_comes_out(
    parts: list[str], stops: list[str]
) -> None:
    found = Stops(stops)
    shown = "".join(found.add(part) for part in parts)
    shown += "" if found.reached else found.rest()
    whole = "".join(parts)
    # The stop that is complete first, as the text arrives, ends it.
    ends = [at + len(stop) for stop in stops if (at := whole.find(stop)) >= 0]
    if not ends:
        assert shown == whole
    else:
        assert found.reached
        assert whole.startswith(shown)
        assert not any(stop in shown for stop in stops)
