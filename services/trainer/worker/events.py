"""Sending events to the trainer, and the sign of life that goes beside them."""

import threading
from collections import deque
from collections.abc import Callable

import psutil

from lab.link import Link, LinkClosed
from lab.manifest import MAX_TOLD_BYTES
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


# What a step leaves behind, besides the weights.
MEASURED = frozenset(
    (
        "step_measured",
        "evaluation_completed",
        "text_sampled",
        "interval_measured",
        "health_measured",
        "spike_flagged",
        "probe_recorded",
    )
)


class Telling:
    """Sends, and keeps what was measured since the newest save.

    A trainer that is killed takes with it what it has heard and not written down. The save that
    this process still finishes has those numbers beside it, so the history has no hole before the
    step the run goes on from. The oldest are dropped beyond some megabytes, which is many times
    what lies between two processes.
    """

    def __init__(self, send: Emit) -> None:
        self._send = send
        self._lock = threading.Lock()  # a save ends in a thread of its own
        self._kept: deque[WorkerEvent] = deque()
        self._kept_bytes = 0
        self._ever = 0  # so many were kept since the beginning, these among them

    def __call__(self, event: WorkerEvent) -> None:
        if event.WhichOneof("event") in MEASURED:
            with self._lock:
                self._kept.append(event)
                self._ever += 1
                self._kept_bytes += event.ByteSize()
                while self._kept_bytes > MAX_TOLD_BYTES:
                    self._drop()
        self._send(event)

    def so_far(self) -> tuple[list[WorkerEvent], int]:
        """All of it, for a save of this moment, and what to call it afterwards. Nothing is copied
        but references: training waits for this."""
        with self._lock:
            return list(self._kept), self._ever

    def saved(self, mark: int) -> None:
        """What was there at that mark lies on disk, beside its save."""
        with self._lock:
            while self._kept and self._ever - len(self._kept) < mark:
                self._drop()

    def _drop(self) -> None:
        self._kept_bytes -= self._kept.popleft().ByteSize()


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
