"""Checkpoints may be written short."""

import pytest

from lab.client.checkpoints import full_name
from lab.client.models import at_step
from lab.errors import InvalidArgument, NotFound
from lab.v1.checkpoint_pb2 import Checkpoint


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


def test_weights_alone_will_do_for_a_look_and_a_missing_step_names_those_near_it() -> None:
    here = "runs/nano-a/checkpoints"
    full = [Checkpoint(name=f"{here}/step-{n:08d}", step=n) for n in range(20, 400, 20)]
    alone = [Checkpoint(name=f"{here}/weights-{n:08d}", step=n) for n in (40, 50)]
    saved = [*full, *alone]
    assert at_step("nano-a@40", saved) == f"{here}/step-00000040"
    assert at_step("nano-a@weights-40", saved) == f"{here}/weights-00000040"
    assert at_step("nano-a@50", saved) == f"{here}/weights-00000050"
    with pytest.raises(NotFound, match="at step 99; near it are 60, 80, 100, 120, 140;"):
        at_step("nano-a@99", saved)
    with pytest.raises(NotFound, match="of nano-a are saved at step 99; `lab checkpoints list`"):
        at_step("nano-a@99", [])
