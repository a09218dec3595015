"""One training in the terminal, from the first event of its worker to the last."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from lab import folders
from lab.cli.output import errors
from lab.cli.spikes import spike_lines
from lab.cli.train.kept import Kept
from lab.cli.train.screen import Screen
from lab.link import Link, LinkClosed
from lab.spec import ResolvedSpec
from lab.torchrun import worker_command
from lab.v1.worker_pb2 import StartTraining, StopTraining, WorkerCommand, WorkerEvent

WORKER_END_SECS = 10.0
RESTARTS = 3  # in a row, without a newer checkpoint in between
EXIT_FAILED, EXIT_INTERRUPTED, EXIT_TERMINATED = 1, 130, 143


class Session:
    """Goes on from the newest checkpoint when a process of the worker dies, if there is one.

    When torchrun started us, as one of several machines, it is torchrun that starts all again.
    """

    def __init__(
        self, resolved: ResolvedSpec, corpora_folder: Path, kept: Kept, *, under_torchrun: bool
    ) -> None:
        self._resolved = resolved
        self._corpora_folder = corpora_folder
        self._kept = kept
        self._processes = 1 if under_torchrun else resolved.spec.budget.processes
        self._restarts_allowed = 0 if under_torchrun else RESTARTS
        self._screen = Screen(resolved.spec.budget.steps)
        self._interrupts = 0

    def run(self) -> int:
        place = folders.home() / "train"
        place.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{self._resolved.preset}-", dir=place))
        code = EXIT_FAILED
        try:
            with _terminable(), self._screen:
                code = self._train(folder)
            return code
        finally:
            if code == EXIT_FAILED:  # the log is needed
                shutil.rmtree(folder / "staging", ignore_errors=True)
            else:
                shutil.rmtree(folder, ignore_errors=True)

    def _train(self, folder: Path) -> int:
        restarts, log = 0, folder / "worker.log"
        if self._kept.step is not None:
            self._screen.say(f"going on from step {self._kept.step:,}")
        while True:
            began_at = self._kept.step
            how = ""
            with self._worker(log) as (worker, link):
                try:
                    with self._interruptible(link):
                        link.send(WorkerCommand(start=self._start(folder / "staging")))
                        return self._follow(link, log)
                except LinkClosed:
                    how = _how(worker)
                except KeyboardInterrupt:
                    errors.print("lab: interrupted twice; nothing was saved")
                    return EXIT_INTERRUPTED
            restarts = restarts + 1 if self._kept.step == began_at else 1
            if self._kept.step is None or restarts > self._restarts_allowed:
                errors.print(f"lab: the worker died ({how}); its log is {log}")
                return EXIT_FAILED
            self._screen.say(f"the worker died ({how}); going on from step {self._kept.step:,}")

    @contextmanager
    def _worker(self, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], Link]]:
        """A worker process and our end of its link; both are gone afterwards."""
        ours, theirs = socket.socketpair()
        with log.open("ab") as stderr, theirs:
            worker = subprocess.Popen(
                worker_command(self._processes),
                stdin=theirs.fileno(),
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,  # a Ctrl-C is for this process; it tells the worker
            )
        link = Link(ours)
        try:
            yield worker, link
        finally:
            link.close()
            _end(worker)

    def _start(self, staging: Path) -> StartTraining:
        start = StartTraining(
            run="runs/local",
            spec=self._resolved.spec,
            corpora_folder=str(self._corpora_folder),
            staging_folder=str(staging),
        )
        if self._kept.step is not None:
            start.resume_folder = str(self._kept.folder)
        return start

    def _follow(self, link: Link, log: Path) -> int:
        """Shows what the worker tells until it ends; raises LinkClosed when it just dies."""
        screen, spec = self._screen, self._resolved.spec
        while True:
            event = link.receive(WorkerEvent)
            match event.WhichOneof("event"):
                case "started":
                    started = event.started
                    spec.budget.precision = started.precision  # measured once, then kept
                    spec.budget.compile = started.compile
                    if started.step:
                        continue  # said already when the training began
                    screen.say(
                        f"{self._resolved.preset}: {started.parameters:,} parameters, "
                        f"{started.corpus_tokens:,} training tokens of {spec.data.corpus}, "
                        f"{spec.budget.steps:,} steps"
                    )
                case "step_measured":
                    screen.step(event.step_measured)
                case "evaluation_completed":
                    screen.evaluation(event.evaluation_completed.loss)
                case "text_sampled":
                    sample = event.text_sampled
                    text = f"{sample.prompt}{sample.text}".replace("\n", "⏎")
                    screen.say(f"step {sample.step:,}: {text}")
                case "log_written":
                    screen.say(event.log_written.text)
                case "spike_flagged":
                    for line in spike_lines(event.spike_flagged):
                        screen.say(line)
                case "staged":
                    folder = self._kept.keep(event.staged)
                    screen.say(f"saved step {event.staged.step:,} in {folder}")
                case "failed":
                    errors.print(f"lab: {event.failed.reason}")
                    errors.print(f"lab: its log is {log}")
                    return EXIT_FAILED
                case "finished":
                    screen.finish()
                    return EXIT_INTERRUPTED if event.finished.stopped else 0

    @contextmanager
    def _interruptible(self, link: Link) -> Iterator[None]:
        """Ctrl-C once ends at the next step; a second one at once."""

        def interrupted(_signal: int, _frame: FrameType | None) -> None:
            self._interrupts += 1
            if self._interrupts > 1:
                raise KeyboardInterrupt
            save = self._resolved.spec.hooks.checkpoint_on_stop
            link.send(WorkerCommand(stop=StopTraining(save=save)))
            self._screen.say("ending after this step; Ctrl-C again ends at once")

        before = signal.signal(signal.SIGINT, interrupted)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


@contextmanager
def _terminable() -> Iterator[None]:
    """So ends torchrun what it started; our worker and our folder must not be left behind."""

    def terminated(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit(EXIT_TERMINATED)

    before = signal.signal(signal.SIGTERM, terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _how(worker: subprocess.Popen[bytes]) -> str:
    """In which way a worker that closed its link ended."""
    try:
        code = worker.wait(WORKER_END_SECS)
    except subprocess.TimeoutExpired:
        return "it closed its link"
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _end(worker: subprocess.Popen[bytes]) -> None:
    """The worker ends when its link is closed, at its next step; after that it is killed."""
    try:
        worker.wait(WORKER_END_SECS if worker.returncode is None else 0)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        worker.kill()
        worker.wait()
