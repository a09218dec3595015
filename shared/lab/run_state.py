"""States and verbs of runs as words, and which states are ends."""

from __future__ import annotations

from typing import Final

from lab.v1 import run_pb2
from lab.v1.run_pb2 import Run, RunState, RunVerb

# Over, unless someone resumes.
ENDED: Final = (
    run_pb2.RUN_STATE_STOPPED,
    run_pb2.RUN_STATE_SUCCEEDED,
    run_pb2.RUN_STATE_FAILED,
    run_pb2.RUN_STATE_INTERRUPTED,
)


def at_rest(run: Run) -> bool:
    """Whether nothing happens to it unasked: not to one that is about to resume by itself."""
    return run.state in ENDED and not run.HasField("restart_time")


def state_word(state: RunState.ValueType) -> str:
    """As in RUNNING."""
    return RunState.Name(state).removeprefix("RUN_STATE_")


def verb_word(verb: RunVerb.ValueType) -> str:
    """As in pause."""
    return RunVerb.Name(verb).removeprefix("RUN_VERB_").lower()
