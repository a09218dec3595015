"""Resource names: whatever is built can be taken apart, and nothing else passes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import names
from lab.errors import Code, InvalidArgument

ids = st.from_regex(re.compile(names.ID_PATTERN), fullmatch=True)


@given(ids)
def test_a_run_name_gives_its_id_back(identifier: str) -> None:
    assert names.run_id(names.run_name(identifier)) == identifier


@given(ids, st.integers(min_value=0, max_value=99_999_999))
def test_a_checkpoint_name_gives_run_and_checkpoint_back(run: str, step: int) -> None:
    found, checkpoint = names.checkpoint_ids(names.checkpoint_name(run, step))
    assert found == run
    assert checkpoint == f"step-{step:08d}"


@given(ids)
def test_a_peek_has_no_checkpoint_id(run: str) -> None:
    assert names.checkpoint_ids(names.peek_name(run)) == (run, None)


@given(ids)
def test_an_id_needs_no_escaping_anywhere(identifier: str) -> None:
    """Not as a file name, not as a NATS token, not as a URL segment."""
    assert re.fullmatch(r"[a-z0-9-]{1,63}", identifier)
    assert names.check_id("run", identifier) == identifier


@given(st.text().filter(lambda text: not re.fullmatch(names.ID_PATTERN, text)))
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        names.check_id("run", text)
    assert refused.value.violations[0].field == "run"


@pytest.mark.parametrize(
    "identifier",
    ["", "-a", "a-", "1a", "A", "a_b", "a.b", "a/b", "..", "a\n", "a b", "ä", "a" * 64, "a\0"],
)
def test_an_id_that_looks_harmless_but_is_not(identifier: str) -> None:
    with pytest.raises(InvalidArgument):
        names.run_name(identifier)


def test_the_longest_id_is_63_characters() -> None:
    assert names.run_name("a" * 63) == "runs/" + "a" * 63


@pytest.mark.parametrize(
    "name",
    [
        "runs",
        "runs/",
        "runs/a/b",
        "models/a",
        "runs/a/checkpoints",
        "runs/a/checkpoints/",
        "runs/a/checkpoints/b/c",
        "runs/a/peek/b",
        "runs/../checkpoints/b",
        "/runs/a/peek",
    ],
)
def test_a_name_of_another_form_is_no_checkpoint(name: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        names.checkpoint_ids(name)
    assert refused.value.code is Code.INVALID_ARGUMENT


def test_model_and_corpus_names_are_taken_apart() -> None:
    assert names.model_id(names.model_name("m0a1b2c")) == "m0a1b2c"
    assert names.corpus_id("corpora/verdict") == "verdict"
    for wrong in ("runs/verdict", "verdict", "corpora/", "corpora/../x"):
        with pytest.raises(InvalidArgument):
            names.corpus_id(wrong)


def test_new_ids_are_ids_and_differ() -> None:
    made = {names.new_id("nano") for _ in range(200)}
    assert len(made) == 200
    for identifier in made:
        assert names.check_id("run", identifier).startswith("nano-")
