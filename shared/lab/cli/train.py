"""`lab train`: trains here and now, without a cluster: one worker process, told in the terminal."""

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
from typing import Annotated, Any

import typer

from lab import folders, manifest
from lab.cli.output import errors
from lab.cli.preflight import look_ahead, show_preflight
from lab.cli.progress import Steps
from lab.cli.spec_file import choose_preset, read_spec_file
from lab.cli.train_screen import Screen
from lab.errors import InvalidArgument
from lab.link import Link, LinkClosed
from lab.spec import ResolvedSpec, resolve, set_dotted
from lab.spec.fields import fill
from lab.text import Corpora
from lab.torchrun import worker_command
from lab.v1.checkpoint_pb2 import Checkpoint, CheckpointKind
from lab.v1.run_spec_pb2 import RunSpec
from lab.v1.worker_pb2 import (
    CheckpointStaged,
    StartTraining,
    StopTraining,
    WorkerCommand,
    WorkerEvent,
)

WORKER_END_SECS = 10.0

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130


def train(
    config: Annotated[
        str | None, typer.Option("--config", "--preset", help="nano, small or medium.")
    ] = None,
    corpus: Annotated[str | None, typer.Option(help="Text to train on.")] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the text.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps.")] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    batch: Annotated[int | None, typer.Option(help="Sequences per step.")] = None,
    prompt: Annotated[
        list[str] | None, typer.Option(help="Sample this prompt; repeatable.")
    ] = None,
    save: Annotated[bool, typer.Option("--save", help="Keep a checkpoint of the end.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for it; implies --save.")] = None,
    yaml: Annotated[Path | None, typer.Option(help="A spec, laid over the preset.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="As in model.layers=4; repeatable.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what it would take, with measured times.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --dry-run: print ProtoJSON.")
    ] = False,
) -> None:
    """Train here, without the cluster."""
    file = read_spec_file(yaml)
    preset = choose_preset(config, file)
    overrides = _overrides(
        file.spec,
        settings or [],
        {
            "data": {"corpus": corpus},
            "budget": {"epochs": epochs, "steps": steps, "batch": batch},
            "optimizer": {"learning_rate": lr},
            "hooks": {
                "sample_prompts": prompt or None,
                "checkpoint_on_stop": True if save or out else None,
            },
        },
    )
    if out and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InvalidArgument.field("out", f"{out} is there already; name a new folder")
    corpora = Corpora.at_home()
    resolved = resolve(preset, overrides, corpora)
    if dry_run:
        return show_preflight(look_ahead(resolved), as_json=as_json)
    with Steps() as progress:
        corpora.prepare(resolved.spec.data.corpus, progress.show)
    raise typer.Exit(_Session(resolved, corpora.folder, out).run())


def _overrides(spec: RunSpec, settings: list[str], options: dict[str, Any]) -> RunSpec:
    """The YAML file, then --set, then the named options: the later wins."""
    for setting in settings:
        set_dotted(spec, setting)
    given = {
        section: {name: value for name, value in fields.items() if value is not None}
        for section, fields in options.items()
    }
    if violations := fill(spec, {section: fields for section, fields in given.items() if fields}):
        raise InvalidArgument.of(*violations)
    return spec


class _Session:
    """One training from the first event of its worker to the last."""

    def __init__(self, resolved: ResolvedSpec, corpora_folder: Path, out: Path | None) -> None:
        self._resolved = resolved
        self._corpora_folder = corpora_folder
        self._out = out
        self._screen = Screen(resolved.spec.budget.steps)
        self._interrupts = 0

    def run(self) -> int:
        place = folders.home() / "train"
        place.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{self._resolved.preset}-", dir=place))
        code = EXIT_FAILED
        try:
            code = self._train(folder)
            return code
        finally:
            if code == EXIT_FAILED:  # the log is needed
                shutil.rmtree(folder / "staging", ignore_errors=True)
            else:
                shutil.rmtree(folder, ignore_errors=True)

    def _train(self, folder: Path) -> int:
        log = folder / "worker.log"
        ours, theirs = socket.socketpair()
        with log.open("wb") as stderr, theirs:
            worker = subprocess.Popen(
                worker_command(self._resolved.spec.budget.processes),
                stdin=theirs.fileno(),
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,  # a Ctrl-C is for this process; it tells the worker
            )
        link = Link(ours)
        try:
            with self._interruptible(link), self._screen:
                link.send(WorkerCommand(start=self._start(folder / "staging")))
                code = self._follow(link, folder)
        except LinkClosed:
            code = EXIT_FAILED
            errors.print(f"lab: the worker died ({_how(worker)}); its log is {log}")
        except KeyboardInterrupt:
            errors.print("lab: interrupted twice; nothing was saved")
            code = EXIT_INTERRUPTED
        finally:
            link.close()
            _end(worker)
        return code

    def _start(self, staging: Path) -> StartTraining:
        return StartTraining(
            run="runs/local",
            spec=self._resolved.spec,
            corpora_folder=str(self._corpora_folder),
            staging_folder=str(staging),
        )

    def _follow(self, link: Link, folder: Path) -> int:
        """Shows what the worker tells until it ends; raises LinkClosed when it just dies."""
        screen = self._screen
        while True:
            event = link.receive(WorkerEvent)
            match event.WhichOneof("event"):
                case "started":
                    started = event.started
                    screen.say(
                        f"{self._resolved.preset}: {started.parameters:,} parameters, "
                        f"{started.corpus_tokens:,} training tokens of "
                        f"{self._resolved.spec.data.corpus}, "
                        f"{self._resolved.spec.budget.steps:,} steps"
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
                case "staged":
                    self._keep(event.staged)
                case "failed":
                    errors.print(f"lab: {event.failed.reason}")
                    errors.print(f"lab: its log is {folder / 'worker.log'}")
                    return EXIT_FAILED
                case "finished":
                    screen.finish()
                    return EXIT_INTERRUPTED if event.finished.stopped else 0

    def _keep(self, staged: CheckpointStaged) -> None:
        """Makes a staged checkpoint whole and puts it in place of the one before."""
        source, resolved = Path(staged.folder), self._resolved
        name = f"{resolved.preset}-{resolved.spec.data.corpus}"
        if self._out is None:
            self._out = folders.home() / "trained" / f"{name}{source.name[-9:]}"
        checkpoint = Checkpoint(
            name=f"{name}-step-{staged.step:08d}",
            kind=CheckpointKind.CHECKPOINT_KIND_FULL,
            step=staged.step,
            tokens=staged.tokens,
            spec=resolved.spec,
            preset=resolved.preset,
        )
        if staged.HasField("loss"):
            checkpoint.loss = staged.loss
        if staged.HasField("validation_loss"):
            checkpoint.validation_loss = staged.validation_loss
        checkpoint.files.extend(manifest.describe(source))
        checkpoint.digest = manifest.digest(checkpoint.files)
        checkpoint.size_bytes = sum(file.size_bytes for file in checkpoint.files)
        checkpoint.create_time.GetCurrentTime()
        manifest.write(source, checkpoint)
        self._out.parent.mkdir(parents=True, exist_ok=True)
        if self._out.exists():
            shutil.rmtree(self._out)
        shutil.move(source, self._out)
        self._screen.say(f"saved step {staged.step:,} in {self._out}")

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
