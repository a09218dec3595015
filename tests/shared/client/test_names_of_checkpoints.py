"""Checkpoints may be written short."""

import pytest

from lab.client.checkpoints import full_name
from lab.errors import InvalidArgument


def test_run_at_step_is_the_checkpoint_of_that_step() -> None:
    assert full_name("nano-a@50") == "runs/nano-a/checkpoints/step-00000050"


def test_one_that_holds_weights_only_is_another_of_that_step() -> None:
    assert full_name("nano-a@weights-50") == "runs/nano-a/checkpoints/weights-00000050"


def test_a_full_name_stays() -> None:
    name = "runs/nano-a/checkpoints/step-00000050"
    assert full_name(name) == name
    assert full_name("runs/nano-a/peek") == "runs/nano-a/peek"


def test_an_import_has_a_short_name() -> None:
    assert full_name("imports/gpt2") == "runs/imports/checkpoints/gpt2"
    with pytest.raises(InvalidArgument):
        full_name("imports/a/b")


@pytest.mark.parametrize(
    "wrong", ["", "nano-a", "nano-a@", "nano-a@-1", "nano-a@123456789", "../x@1", "runs/a", "a@1@2"]
)
def test_anything_else_is_refused_with_the_two_forms(wrong: str) -> None:
    with pytest.raises(InvalidArgument):
        full_name(wrong)
