"""A hook that fails is told and left out; one the run cannot do without ends it."""

import pytest

from lab.errors import Unavailable
from lab.link import LinkClosed
from lab.v1.worker_pb2 import WorkerEvent
from services.trainer.worker.hooks import Hook, Hooks
from services.trainer.worker.training import Training


class Counting(Hook):
    def __init__(self, error: Exception | None = None) -> None:
        self.calls = 0
        self._error = error

    def on_start(self, training: Training) -> None:
        self.calls += 1
        if self._error:
            raise self._error


class Essential(Counting):
    essential = True


def test_a_failing_hook_is_told_and_left_out(training: Training) -> None:
    told: list[WorkerEvent] = []
    hooks = Hooks(told.append)
    broken, secretive, fine = Counting(Unavailable("no room")), Counting(OSError("/a")), Counting()
    hooks.set([broken, secretive, fine])
    hooks.on_start(training)
    hooks.on_start(training)
    assert (broken.calls, secretive.calls, fine.calls) == (1, 1, 2)
    assert [event.log_written.text for event in told] == [
        "counting failed (no room) and is off for the rest of this run",
        "counting failed (OSError) and is off for the rest of this run",
    ]


@pytest.mark.parametrize("hook", [Essential(ValueError("x")), Counting(LinkClosed("gone"))])
def test_some_errors_end_the_run(training: Training, hook: Counting) -> None:
    hooks = Hooks(lambda event: None)
    hooks.set([hook])
    with pytest.raises((ValueError, LinkClosed)):
        hooks.on_start(training)
