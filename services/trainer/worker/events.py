"""Sending events to the trainer, and the sign of life that goes beside them."""

import threading
from collections.abc import Callable

import psutil

from lab.link import Link, LinkClosed
from lab.v1 import event_pb2
from lab.v1.event_pb2 import LogLevel, LogWritten
from lab.v1.worker_pb2 import WorkerBeat, WorkerEvent

BEAT_SECS = 1.0

_PROCESS = psutil.Process()  # to find it anew costs more than to ask it

Emit = Callable[[WorkerEvent], None]


def log(
    emit: Emit, text: str, *, step: int, level: "LogLevel.ValueType" = event_pb2.LOG_LEVEL_INFO
) -> None:
    """Tells the user something."""
    emit(WorkerEvent(log_written=LogWritten(level=level, text=text, step=step)))


def resident_bytes() -> int:
    """Memory of this process."""
    return int(_PROCESS.memory_info().rss)


class Heartbeat:
    """Tells the trainer every second that this process lives, however long a step takes."""

    def __init__(self, link: Link) -> None:
        self.steps_made: Callable[[], int] = lambda: 0
        self._link = link
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECS):
            beat = WorkerBeat(step=self.steps_made(), memory_bytes=resident_bytes())
            try:
                self._link.send(WorkerEvent(beat=beat))
            except LinkClosed:
                return  # the control thread sees it too and ends the run
