"""One attempt of one run: waits for a slot, prepares, starts a worker, follows it to its end."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from lab import names
from lab.errors import LabError, PreconditionFailed, Unavailable
from lab.text import Corpora
from lab.v1 import checkpoint_service_pb2_grpc as services
from lab.v1 import event_pb2, run_pb2, worker_pb2
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.event_pb2 import Event, LogWritten
from lab.v1.run_pb2 import Run
from lab.v1.worker_pb2 import (
    AdvanceTraining,
    CheckpointStaged,
    PauseTraining,
    ResumeTraining,
    StageCheckpoint,
    StagingFailed,
    StartTraining,
    StopTraining,
    TrainingStarted,
    WorkerCommand,
    WorkerEvent,
)
from services.trainer.runs import journal_file, stats
from services.trainer.runs.journal import Journal
from services.trainer.runs.records import Records
from services.trainer.runs.resuming import fetch_newest
from services.trainer.runs.state import Happening
from services.trainer.runs.uploads import Uploads
from services.trainer.runs.worker_process import Worker

UPLOAD_SECS: Final = 60.0  # an ended run waits this long for its last checkpoint to arrive

RESUME: Final = "resume"  # a copy of the checkpoint, gone once the worker has read it

StartWorker = Callable[[str], Awaitable[Worker]]

log = structlog.get_logger()


@dataclass(frozen=True)
class Surroundings:
    """What every life needs."""

    records: Records
    journal: Journal
    uploads: Uploads
    corpora: Corpora
    checkpoints: services.CheckpointServiceAsyncStub
    start_worker: StartWorker
    slots: asyncio.Semaphore
    staging: Path


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended."""

    happening: Happening
    reason: str = ""


class Life:
    def __init__(self, run_id: str, around: Surroundings) -> None:
        self._run_id = run_id
        self._around = around
        self._folder = around.staging / run_id / names.new_id("a")  # no attempt meets another's
        self._worker: Worker | None = None
        self._preparing: asyncio.Task[StartTraining] | None = None
        self._stop: StopTraining | None = None
        self._leaving = ""  # why the trainer ends this life; empty while it does not
        self._advance_to: int | None = None
        self._asked: dict[worker_pb2.StagingKind.ValueType, asyncio.Future[Checkpoint]] = {}
        self._outcome: Outcome | None = None

    @property
    def _run(self) -> Run:
        return self._around.records.get(self._run_id)

    # What may be asked of it.

    async def pause(self) -> None:
        await self._send(WorkerCommand(pause=PauseTraining()))

    async def resume(self) -> None:
        self._advance_to = None
        await self._send(WorkerCommand(resume=ResumeTraining()))

    async def advance(self, steps: int) -> None:
        self._advance_to = self._run.stats.step + steps
        await self._send(WorkerCommand(advance=AdvanceTraining(steps=steps)))

    async def stop(self, *, save: bool) -> None:
        """Before there is a worker, it takes effect at once."""
        self._stop = StopTraining(save=save)
        if self._worker is None:
            if self._preparing is not None:
                self._preparing.cancel()
            return
        await self._send(WorkerCommand(stop=self._stop))

    async def leave(self, reason: str, *, save: bool) -> None:
        """The trainer itself is ending: as `stop`, but the run counts as interrupted."""
        self._leaving = reason
        await self.stop(save=save)

    def kill(self) -> None:
        if self._worker is not None:
            self._worker.kill()

    async def stage(self, kind: worker_pb2.StagingKind.ValueType) -> Checkpoint:
        """The state of this moment, taken to the checkpoint service. Who asks while another waits
        for the same kind gets the same answer."""
        if self._worker is None or self._outcome is not None:
            raise self._ended_before()
        waiting = self._asked.get(kind)
        if waiting is None:
            waiting = self._asked[kind] = asyncio.get_running_loop().create_future()
            waiting.add_done_callback(_look)
            request = StageCheckpoint(kind=kind, request_id=names.new_id("s"))
            await self._send(WorkerCommand(stage=request))
        return await asyncio.shield(waiting)

    # Its course.

    async def live(self) -> None:
        """From PENDING until the run is at rest."""
        records = self._around.records
        async with self._around.slots:
            if not records.happen(self._run_id, Happening.SLOT_FREE):
                return
            try:
                outcome = await self._attempt()
            except Exception:
                log.exception("a life of a run broke", run=self._run_id)
                outcome = Outcome(
                    Happening.WENT_WRONG, "internal error; the trainer's log has the details"
                )
            finally:
                self._worker = None
                self._refuse_waiting()
        await self._last_uploads()
        if self._leaving and outcome.happening is not Happening.LAST_STEP_MADE:
            outcome = Outcome(Happening.VANISHED, self._leaving)
        if not records.happen(self._run_id, outcome.happening, reason=outcome.reason):
            # A worker that says the run is stopped although nobody asked has lost its way.
            reason = outcome.reason or f"its worker reported {outcome.happening.name} unasked"
            records.happen(self._run_id, Happening.VANISHED, reason=reason)
        if not self._around.uploads.busy(self._run_id):
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _attempt(self) -> Outcome:
        try:
            self._preparing = asyncio.create_task(self._prepare())
            start = await self._preparing
            worker = self._worker = await self._around.start_worker(self._run_id)
        except asyncio.CancelledError:
            if self._stop is None:
                raise
            return Outcome(Happening.STOP_OBEYED)
        except (LabError, OSError) as error:
            message = error.message if isinstance(error, LabError) else str(error)
            return Outcome(Happening.WENT_WRONG, message)
        try:
            await worker.send(WorkerCommand(start=start))
            if self._stop is not None:  # asked for while the process was being made
                await worker.send(WorkerCommand(stop=self._stop))
            async for event in worker.events():
                await self._around.journal.room()
                await self._take(event)
        except BaseException:
            worker.kill()
            await worker.ended()
            raise
        ending = await worker.ended()
        return self._outcome or Outcome(Happening.VANISHED, str(ending))

    async def _prepare(self) -> StartTraining:
        """The corpus tokenised, the checkpoint to go on from here and whole."""
        run, around = self._run, self._around
        corpus = run.spec.data.corpus
        await asyncio.to_thread(around.corpora.prepare, corpus)
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        start = StartTraining(
            run=run.name,
            spec=run.spec,
            corpora_folder=str(around.corpora.folder),
            staging_folder=str(self._folder),
        )
        if run.latest_checkpoint:
            folder = self._folder / RESUME
            checkpoint = await fetch_newest(around.checkpoints, run.name, folder, warn=self._warn)
            run.latest_checkpoint = checkpoint.name
            start.resume_folder = str(folder)
        return start

    async def _take(self, event: WorkerEvent) -> None:
        """One thing the worker said."""
        records, run = self._around.records, self._run
        match event.WhichOneof("event"):
            case "started":
                await self._begin(event.started)
            case "step_measured":
                stats.measured(run.stats, event.step_measured)
                records.say(self._run_id, Event(step_measured=event.step_measured))
            case "evaluation_completed":
                stats.evaluated(run.stats, event.evaluation_completed)
                records.say(self._run_id, Event(evaluation_completed=event.evaluation_completed))
            case "text_sampled":
                records.say(self._run_id, Event(text_sampled=event.text_sampled))
            case "log_written":
                records.say(self._run_id, Event(log_written=event.log_written))
            case "paused":
                self._halted(event.paused.step)
            case "staged":
                self._deliver(event.staged)
            case "staging_failed":
                self._refuse(event.staging_failed)
            case "finished":
                run.stats.step = event.finished.step
                stopped = event.finished.stopped
                self._outcome = Outcome(
                    Happening.STOP_OBEYED if stopped else Happening.LAST_STEP_MADE
                )
            case "failed":
                run.stats.step = event.failed.step
                self._outcome = Outcome(Happening.WENT_WRONG, event.failed.reason)
            case "beat":
                run.stats.step = max(run.stats.step, event.beat.step)

    async def _begin(self, started: TrainingStarted) -> None:
        """The numbers are set to where the worker begins: after a resume, to its checkpoint."""
        journal = self._around.journal
        await journal.committed(self._run_id, journal.last_sequence(self._run_id))
        progress = await journal.read(
            self._run_id, lambda file: journal_file.progress_at(file, started.step)
        )
        run = self._run
        stats.set_back(run.stats, progress, step=started.step)
        run.stats.parameters = started.parameters
        run.stats.corpus_tokens = started.corpus_tokens
        run.stats.epoch_sequences = started.epoch_sequences
        await asyncio.to_thread(shutil.rmtree, self._folder / RESUME, ignore_errors=True)
        self._around.records.happen(self._run_id, Happening.STEPS_BEGIN)

    def _halted(self, step: int) -> None:
        """A pause that was taken back meanwhile does not count; the worker is about to go on."""
        run = self._run
        run.stats.step = step
        if run.state == run_pb2.RUN_STATE_RUNNING and (
            self._advance_to is None or step < self._advance_to
        ):
            return
        self._advance_to = None
        self._around.records.happen(self._run_id, Happening.BOUNDARY_REACHED)

    def _deliver(self, staged: CheckpointStaged) -> None:
        task = self._around.uploads.put(self._run, staged)
        waiting = self._asked.pop(staged.kind, None) if staged.request_id else None
        if waiting is not None:
            task.add_done_callback(lambda task: _copy(task, waiting))

    def _refuse(self, failed: StagingFailed) -> None:
        waiting = self._asked.pop(failed.kind, None)
        if waiting is not None and not waiting.done():
            waiting.set_exception(Unavailable(failed.reason))

    async def _last_uploads(self) -> None:
        if self._leaving:
            return
        try:
            await asyncio.wait_for(self._around.uploads.idle(self._run_id), UPLOAD_SECS)
        except TimeoutError:
            self._warn("the checkpoint service does not answer; the last checkpoint waits for it")

    def _warn(self, text: str) -> None:
        written = LogWritten(
            level=event_pb2.LOG_LEVEL_WARNING, text=text, step=self._run.stats.step
        )
        self._around.records.say(self._run_id, Event(log_written=written))

    async def _send(self, command: WorkerCommand) -> None:
        if self._worker is not None:
            await self._worker.send(command)

    def _refuse_waiting(self) -> None:
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(self._ended_before())
        self._asked.clear()

    def _ended_before(self) -> PreconditionFailed:
        return PreconditionFailed(
            f"{names.run_name(self._run_id)} came to its end before its state could be taken",
            metadata={"allowed": ""},
        )


def _copy(task: asyncio.Task[Checkpoint], waiting: asyncio.Future[Checkpoint]) -> None:
    if waiting.done():
        return
    if task.cancelled():
        waiting.cancel()
    elif error := task.exception():
        waiting.set_exception(error)
    else:
        waiting.set_result(task.result())


def _look(future: asyncio.Future[Checkpoint]) -> None:
    """Whoever asked may have left; then nobody else looks at the error."""
    if not future.cancelled():
        future.exception()
