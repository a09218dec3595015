"""What the trainer wants: collected by a small thread, looked at between two steps."""

import threading
from dataclasses import dataclass

from lab.link import Link, LinkClosed
from lab.v1.run_pb2 import LiveSettings
from lab.v1.worker_pb2 import StageCheckpoint, StopTraining, WorkerCommand

LONGEST_WAIT_SECS = 60.0


@dataclass(frozen=True)
class Wishes:
    """All that is wanted at one moment."""

    may_step: bool  # not paused, or steps of an AdvanceTraining are left
    paused: bool
    stages: tuple[StageCheckpoint, ...]
    live: LiveSettings | None  # new settings, not yet obeyed
    stop: StopTraining | None
    closed: bool  # the trainer is gone
    released: bool  # a resume or an advance came since the last look, perhaps taken back since


class Control:
    """Commands become flags here; only the step boundary acts on them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._paused = False
        self._advance = 0  # steps still to make while paused
        self._stages: list[StageCheckpoint] = []
        self._live: LiveSettings | None = None
        self._stop: StopTraining | None = None
        self._closed = False
        self._released = False
        self._news = False

    def listen(self, link: Link) -> None:
        """Obeys the link from a thread of its own until it closes."""
        threading.Thread(target=self._listen, args=(link,), name="control", daemon=True).start()

    def obey(self, command: WorkerCommand) -> None:
        with self._changed:
            match command.WhichOneof("command"):
                case "pause":
                    self._paused, self._advance = True, 0
                case "resume":
                    self._paused, self._advance = False, 0
                    self._released = True
                case "advance":
                    self._advance += command.advance.steps if self._paused else 0
                    self._released = True
                case "stop":
                    self._stop = command.stop
                case "stage":
                    self._stages.append(command.stage)
                case "adjust":
                    self._live = command.adjust
            self._wake()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._wake()

    def look(self) -> Wishes:
        """What is wanted now. Stage requests and settings are handed out once."""
        with self._changed:
            self._news = False
            stages, self._stages = tuple(self._stages), []
            live, self._live = self._live, None
            released, self._released = self._released, False
            return Wishes(
                may_step=not self._paused or self._advance > 0,
                paused=self._paused,
                stages=stages,
                live=live,
                stop=self._stop,
                closed=self._closed,
                released=released,
            )

    def wake(self) -> None:
        """Ends a wait: something of our own is to be looked at."""
        with self._changed:
            self._wake()

    def wait(self) -> None:
        """Until something came since the last look, but not forever."""
        with self._changed:
            self._changed.wait_for(lambda: self._news, timeout=LONGEST_WAIT_SECS)

    def spend_step(self) -> None:
        """A step is about to be made; while paused it uses up one of the advance."""
        with self._changed:
            self._advance = max(0, self._advance - 1)

    def _listen(self, link: Link) -> None:
        try:
            while True:
                self.obey(link.receive(WorkerCommand))
        except LinkClosed:
            self.close()

    def _wake(self) -> None:
        self._news = True
        self._changed.notify_all()
