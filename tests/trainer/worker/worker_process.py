"""Real worker processes, and the trainer's end of their links."""

import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.link import Link, LinkClosed
from lab.torchrun import worker_command
from lab.v1.worker_pb2 import StartTraining, WorkerCommand, WorkerEvent

PATIENCE_SECS = 60


class Worker:
    """A real worker process and the trainer's end of its link."""

    def __init__(self, link: Link, process: subprocess.Popen[str]) -> None:
        self._link = link
        self.process = process
        self.seen: list[WorkerEvent] = []

    def send(self, **command: object) -> None:
        self._link.send(WorkerCommand(**command))  # type: ignore[arg-type]

    def until(self, wanted: str, match: Callable[[WorkerEvent], bool] = bool) -> WorkerEvent:
        """Reads on to the next event of that kind; fails loudly when the worker ends first."""
        while True:
            event = self._receive()
            if event.WhichOneof("event") == wanted and match(event):
                return event

    def rest(self) -> list[WorkerEvent]:
        """Everything up to the end of the worker."""
        try:
            while True:
                self._receive()
        except LinkClosed:
            return self.seen

    def steps(self) -> list[int]:
        return [e.step_measured.step for e in self.seen if e.HasField("step_measured")]

    def close(self) -> None:
        self._link.close()

    def exit_code(self) -> int:
        return self.process.wait(PATIENCE_SECS)

    def _receive(self) -> WorkerEvent:
        event = self._link.receive(WorkerEvent)
        self.seen.append(event)
        return event


@contextmanager
def workers(tmp_path: Path) -> Iterator[Callable[[StartTraining | None], Worker]]:
    made: list[Worker] = []

    def make(start: StartTraining | None) -> Worker:
        ours, theirs = socket.socketpair()
        ours.settimeout(PATIENCE_SECS)
        with theirs, (tmp_path / f"worker-{len(made)}.log").open("w") as log:
            process = subprocess.Popen(
                worker_command(start.spec.budget.processes if start else 1),
                stdin=theirs.fileno(),
                stderr=log,
                start_new_session=True,
                text=True,
            )
        worker = Worker(Link(ours), process)
        made.append(worker)
        if start is not None:
            worker.send(start=start)
        return worker

    try:
        yield make
    finally:
        for worker in made:
            worker.close()
            worker.process.kill()
            worker.process.wait()
