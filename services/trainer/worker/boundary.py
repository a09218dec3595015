"""The moment between two steps: the one place where what the trainer wants takes effect."""

from collections.abc import Callable
from enum import Enum
from typing import Protocol

from lab.v1.event_pb2 import SettingsChanged
from lab.v1.worker_pb2 import TrainingPaused, TrainingResumed, WorkerEvent
from services.trainer.worker.control import Control
from services.trainer.worker.events import Emit
from services.trainer.worker.hooks.checkpoints import STOP, Checkpoints
from services.trainer.worker.training import Training


class End(Enum):
    """Why the loop ended."""

    LAST_STEP = "made its last step"
    STOPPED = "was told to stop"
    LINK_CLOSED = "the trainer is gone"


class Boundary(Protocol):
    """What the loop asks before each step, and after the last."""

    def cross(self, training: Training) -> End | None:
        """Answers None when the next step may be made, otherwise how to end."""

    def answer_last_requests(self, training: Training) -> None:
        """The last step was made."""


class StepBoundary:
    """Obeys the control; rests here while the run is paused."""

    def __init__(self, control: Control, checkpoints: Checkpoints, emit: Emit) -> None:
        self._control = control
        self._checkpoints = checkpoints
        self._emit = emit
        self._resting = False  # what the trainer was told
        self._told_step = -1

    def cross(self, training: Training, *, rest: Callable[[], None] = lambda: None) -> End | None:
        """As Boundary says; calls `rest` now and then while the run is paused."""
        while True:
            wishes = self._control.look()
            if wishes.live is not None:
                training.live.CopyFrom(wishes.live)
                self.tell_settings(training)
            for request in wishes.stages:
                self._checkpoints.answer(training, request)
            self._checkpoints.serve(training)
            if wishes.closed:
                return End.LINK_CLOSED
            if wishes.stop is not None:
                if wishes.stop.save:
                    self._checkpoints.save_last(
                        training, because=STOP, weights_only=wishes.stop.weights_only
                    )
                return End.STOPPED
            if wishes.may_step:
                self._tell_resumed(training, paused=wishes.paused)
                self._control.spend_step()
                training.clock.go()
                return None
            self._tell_paused(training, again=wishes.released)
            training.clock.halt()
            self._checkpoints.hurry()
            rest()
            self._control.wait()

    def tell_settings(self, training: Training) -> None:
        changed = SettingsChanged(step=training.step, live=training.live)
        self._emit(WorkerEvent(settings_changed=changed))

    def answer_last_requests(self, training: Training) -> None:
        """After the last step nothing is left to pause or stop, but a snapshot can be made."""
        for request in self._control.look().stages:
            self._checkpoints.answer(training, request)

    def _tell_paused(self, training: Training, *, again: bool) -> None:
        """Also when a resume was taken back before a step was made: the trainer waits for it."""
        if again or not self._resting or self._told_step != training.step:
            self._emit(WorkerEvent(paused=TrainingPaused(step=training.step)))
        self._resting, self._told_step = True, training.step

    def _tell_resumed(self, training: Training, *, paused: bool) -> None:
        """Steps of an advance are made while paused; the trainer hears of a resume only."""
        if self._resting and not paused:
            self._emit(WorkerEvent(resumed=TrainingResumed(step=training.step)))
            self._resting = False
