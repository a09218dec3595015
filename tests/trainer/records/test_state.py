"""The run state machine, whole: every state with every verb and every happening."""

import pytest

from lab.errors import Code, PreconditionFailed
from lab.run_state import ENDED, state_word, verb_word
from lab.v1 import run_pb2
from lab.v1.run_pb2 import Run
from services.trainer.records import state
from services.trainer.records.state import Happening

STATES = [value for value in run_pb2.RunState.values() if value]
VERBS = [value for value in run_pb2.RunVerb.values() if value]

# As in the design: state -> verbs, with a checkpoint at hand.
DESIGN = {
    "PENDING": {"stop", "delete"},
    "STARTING": {"stop"},
    "RUNNING": {"pause", "stop", "snapshot", "peek"},
    "PAUSING": {"resume", "stop"},
    "PAUSED": {"resume", "advance", "stop", "snapshot", "peek"},
    "STOPPING": set(),
    "STOPPED": {"resume", "delete"},
    "SUCCEEDED": {"delete"},
    "FAILED": {"resume", "delete"},
    "INTERRUPTED": {"resume", "delete"},
}


def run_in(value: state.State, *, checkpoint: bool = True) -> Run:
    latest = "runs/a/checkpoints/step-00000001" if checkpoint else ""
    return Run(name="runs/a", state=value, latest_checkpoint=latest)


@pytest.mark.parametrize("value", STATES, ids=state_word)
def test_the_allowed_verbs_are_those_of_the_design(value: state.State) -> None:
    words = {verb_word(verb) for verb in state.allowed(run_in(value))}
    assert words == DESIGN[state_word(value)]


@pytest.mark.parametrize("value", STATES, ids=state_word)
@pytest.mark.parametrize("verb", VERBS, ids=verb_word)
def test_a_verb_moves_or_holds_or_is_refused_with_what_is_allowed(
    value: state.State, verb: state.Verb
) -> None:
    run = run_in(value)
    if value in state.HOLDS.get(verb, ()):
        assert verb not in state.allowed(run)
        assert state.after_verb(run, verb) is None
    elif verb in state.allowed(run):
        assert state.after_verb(run, verb) in STATES
    else:
        with pytest.raises(PreconditionFailed) as refusal:
            state.after_verb(run, verb)
        assert refusal.value.code is Code.FAILED_PRECONDITION
        assert refusal.value.metadata["state"] == state_word(value)
        allowed = set(filter(None, refusal.value.metadata["allowed"].split(",")))
        assert allowed == DESIGN[state_word(value)]


def test_a_refusal_says_the_state_and_what_may_be_asked() -> None:
    with pytest.raises(PreconditionFailed) as refusal:
        state.after_verb(run_in(run_pb2.RUN_STATE_SUCCEEDED), run_pb2.RUN_VERB_PAUSE)
    assert refusal.value.message == "runs/a is SUCCEEDED; allowed: delete"


@pytest.mark.parametrize("value", ENDED, ids=state_word)
def test_without_a_checkpoint_a_run_at_rest_cannot_go_on(value: state.State) -> None:
    run = run_in(value, checkpoint=False)
    assert run_pb2.RUN_VERB_RESUME not in state.allowed(run)
    with pytest.raises(PreconditionFailed) as refusal:
        state.after_verb(run, run_pb2.RUN_VERB_RESUME)
    missing = "no full checkpoint" in refusal.value.message
    assert missing == (value != run_pb2.RUN_STATE_SUCCEEDED)


def test_a_pause_is_resumed_without_any_checkpoint() -> None:
    run = run_in(run_pb2.RUN_STATE_PAUSED, checkpoint=False)
    assert state.after_verb(run, run_pb2.RUN_VERB_RESUME) == run_pb2.RUN_STATE_RUNNING


@pytest.mark.parametrize("value", STATES, ids=state_word)
def test_only_runs_with_a_worker_can_fail_or_vanish(value: state.State) -> None:
    active = value in state.ACTIVE
    assert (state.after(value, Happening.WENT_WRONG) is not None) == active
    assert (state.after(value, Happening.VANISHED) is not None) == active


def test_nothing_happens_to_a_run_that_is_over() -> None:
    for value in ENDED:
        moves = {happening for happening in Happening if state.after(value, happening)}
        interrupted = value == run_pb2.RUN_STATE_INTERRUPTED
        assert moves == ({Happening.RESTART_DUE} if interrupted else set())


def test_an_interrupted_run_can_be_stopped_while_it_is_about_to_resume_by_itself() -> None:
    run = run_in(run_pb2.RUN_STATE_INTERRUPTED)
    assert run_pb2.RUN_VERB_STOP not in state.allowed(run)
    with pytest.raises(PreconditionFailed, match="not about to resume"):
        state.after_verb(run, run_pb2.RUN_VERB_STOP)
    run.restart_time.GetCurrentTime()
    assert run_pb2.RUN_VERB_STOP in state.allowed(run)
    assert state.after_verb(run, run_pb2.RUN_VERB_STOP) == run_pb2.RUN_STATE_STOPPED


def test_every_state_can_be_reached_and_left() -> None:
    moves = [(a, b) for (a, _), b in state.HAPPENINGS.items()]
    moves += [(a, b) for each in state.VERBS.values() for a, b in each.items() if a != b]
    assert {b for _, b in moves} | {run_pb2.RUN_STATE_PENDING} == set(STATES)
    assert {a for a, _ in moves} == set(STATES) - {run_pb2.RUN_STATE_SUCCEEDED}
