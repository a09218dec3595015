"""The run state machine as two tables: what happens to a run, and what may be asked of it.

    PENDING -> STARTING -> RUNNING <-> PAUSING -> PAUSED, then STOPPING -> STOPPED, or SUCCEEDED;
    FAILED when the run itself went wrong, INTERRUPTED when its worker or the service vanished.

Nothing else decides about states: the browser enables a button when its verb is in `allowed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final, TypeAlias

from lab.errors import PreconditionFailed
from lab.run_state import ENDED, state_word, verb_word
from lab.v1 import run_pb2
from lab.v1.run_pb2 import (
    RUN_STATE_FAILED,
    RUN_STATE_INTERRUPTED,
    RUN_STATE_PAUSED,
    RUN_STATE_PAUSING,
    RUN_STATE_PENDING,
    RUN_STATE_RUNNING,
    RUN_STATE_STARTING,
    RUN_STATE_STOPPED,
    RUN_STATE_STOPPING,
    RUN_STATE_SUCCEEDED,
    RUN_VERB_ADVANCE,
    RUN_VERB_DELETE,
    RUN_VERB_PAUSE,
    RUN_VERB_PEEK,
    RUN_VERB_RESUME,
    RUN_VERB_SNAPSHOT,
    RUN_VERB_STOP,
    Run,
)

State: TypeAlias = "run_pb2.RunState.ValueType"
Verb: TypeAlias = "run_pb2.RunVerb.ValueType"


class Happening(Enum):
    """What moves a run without anybody asking."""

    SLOT_FREE = auto()
    STEPS_BEGIN = auto()
    BOUNDARY_REACHED = auto()
    LAST_STEP_MADE = auto()
    STOP_OBEYED = auto()
    WENT_WRONG = auto()
    VANISHED = auto()
    RESTART_DUE = auto()


# A worker exists, or is being made.
ACTIVE: Final = (
    RUN_STATE_STARTING,
    RUN_STATE_RUNNING,
    RUN_STATE_PAUSING,
    RUN_STATE_PAUSED,
    RUN_STATE_STOPPING,
)

HAPPENINGS: Final[Mapping[tuple[State, Happening], State]] = {
    (RUN_STATE_PENDING, Happening.SLOT_FREE): RUN_STATE_STARTING,
    (RUN_STATE_INTERRUPTED, Happening.RESTART_DUE): RUN_STATE_PENDING,
    (RUN_STATE_STARTING, Happening.STEPS_BEGIN): RUN_STATE_RUNNING,
    (RUN_STATE_PAUSING, Happening.BOUNDARY_REACHED): RUN_STATE_PAUSED,
    # The end of an advance.
    (RUN_STATE_RUNNING, Happening.BOUNDARY_REACHED): RUN_STATE_PAUSED,
    (RUN_STATE_RUNNING, Happening.LAST_STEP_MADE): RUN_STATE_SUCCEEDED,
    # The last step was made before the request came through.
    (RUN_STATE_PAUSING, Happening.LAST_STEP_MADE): RUN_STATE_SUCCEEDED,
    (RUN_STATE_PAUSED, Happening.LAST_STEP_MADE): RUN_STATE_SUCCEEDED,
    (RUN_STATE_STOPPING, Happening.LAST_STEP_MADE): RUN_STATE_SUCCEEDED,
    (RUN_STATE_STOPPING, Happening.STOP_OBEYED): RUN_STATE_STOPPED,
    **{(state, Happening.WENT_WRONG): RUN_STATE_FAILED for state in ACTIVE},
    **{(state, Happening.VANISHED): RUN_STATE_INTERRUPTED for state in ACTIVE},
}

VERBS: Final[Mapping[Verb, Mapping[State, State]]] = {
    RUN_VERB_PAUSE: {RUN_STATE_RUNNING: RUN_STATE_PAUSING},
    RUN_VERB_RESUME: {
        RUN_STATE_PAUSING: RUN_STATE_RUNNING,  # takes the pause back
        RUN_STATE_PAUSED: RUN_STATE_RUNNING,
        RUN_STATE_STOPPED: RUN_STATE_PENDING,
        RUN_STATE_FAILED: RUN_STATE_PENDING,
        RUN_STATE_INTERRUPTED: RUN_STATE_PENDING,
    },
    RUN_VERB_ADVANCE: {RUN_STATE_PAUSED: RUN_STATE_RUNNING},
    RUN_VERB_STOP: {
        RUN_STATE_PENDING: RUN_STATE_STOPPED,
        RUN_STATE_STARTING: RUN_STATE_STOPPING,
        RUN_STATE_RUNNING: RUN_STATE_STOPPING,
        RUN_STATE_PAUSING: RUN_STATE_STOPPING,
        RUN_STATE_PAUSED: RUN_STATE_STOPPING,
        RUN_STATE_INTERRUPTED: RUN_STATE_STOPPED,  # takes back that it resumes by itself
    },
    RUN_VERB_SNAPSHOT: {state: state for state in (RUN_STATE_RUNNING, RUN_STATE_PAUSED)},
    RUN_VERB_PEEK: {state: state for state in (RUN_STATE_RUNNING, RUN_STATE_PAUSED)},
    RUN_VERB_DELETE: {state: state for state in (RUN_STATE_PENDING, *ENDED)},
}

# The result of the verb holds already: the answer is OK and nothing happens.
HOLDS: Final[Mapping[Verb, tuple[State, ...]]] = {
    RUN_VERB_PAUSE: (RUN_STATE_PAUSING, RUN_STATE_PAUSED),
    RUN_VERB_RESUME: (RUN_STATE_PENDING, RUN_STATE_STARTING, RUN_STATE_RUNNING),
    RUN_VERB_STOP: (RUN_STATE_STOPPING, RUN_STATE_STOPPED),
}


def allowed(run: Run) -> list[Verb]:
    """What may be asked of the run now, in the order of the verbs."""
    if run.HasField("delete_time"):
        return []
    return [
        verb
        for verb, moves in sorted(VERBS.items())
        if run.state in moves and not _lacking(run, verb)
    ]


def after_verb(run: Run, verb: Verb) -> State | None:
    """The state that follows; None when the result holds already.

    Raises PreconditionFailed with the state and the allowed verbs.
    """
    if run.HasField("delete_time"):
        raise PreconditionFailed(
            f"{run.name} is in the trash; restore it first",
            metadata={"state": state_word(run.state), "allowed": ""},
        )
    if run.state in HOLDS.get(verb, ()):
        return None
    if run.state in VERBS[verb] and not _lacking(run, verb):
        return VERBS[verb][run.state]
    state = state_word(run.state)
    verbs = ", ".join(verb_word(each) for each in allowed(run)) or "nothing but waiting"
    lacking = _lacking(run, verb) if run.state in VERBS[verb] else ""
    raise PreconditionFailed(
        f"{run.name} is {state}" + (f" and {lacking}" if lacking else "") + f"; allowed: {verbs}",
        metadata={"state": state, "allowed": ",".join(verb_word(each) for each in allowed(run))},
    )


def after(state: State, happening: Happening) -> State | None:
    """The state that follows, or None when it makes no difference in this one."""
    return HAPPENINGS.get((state, happening))


def _lacking(run: Run, verb: Verb) -> str:
    """What the run would need for a verb that its state allows; empty when it has all."""
    ground = run.latest_checkpoint or run.HasField("parent")
    if verb == RUN_VERB_RESUME and run.state in ENDED and not ground:
        return "has no full checkpoint to go on from (weights alone are not enough)"
    waits = run.HasField("restart_time")
    if verb == RUN_VERB_STOP and run.state == RUN_STATE_INTERRUPTED and not waits:
        return "is not about to resume by itself"
    return ""
