"""One attempt of one run: waits for a slot, prepares, starts a worker, follows it to its end."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from lab import names
from lab.errors import LabError, NotFound, PreconditionFailed
from lab.v1 import event_pb2, run_pb2, worker_pb2
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.event_pb2 import Event, LogWritten
from lab.v1.run_pb2 import LiveSettings, Run
from lab.v1.worker_pb2 import (
    AdvanceTraining,
    PauseTraining,
    ResumeTraining,
    StageCheckpoint,
    StartTraining,
    StopTraining,
    WorkerCommand,
)
from services.trainer.records.state import Happening, State
from services.trainer.runs.listening import Listening, Outcome
from services.trainer.runs.surroundings import Surroundings
from services.trainer.runs.worker_process import Worker
from services.trainer.saved import sending
from services.trainer.saved.leftovers import whole_saves
from services.trainer.saved.resuming import fetch_newest, fetch_parent

UPLOAD_SECS: Final = 60.0  # an ended run waits this long for its last checkpoint to arrive

log = structlog.get_logger()


class Life:
    """`interrupted` is told when the run became INTERRUPTED, with its state before."""

    def __init__(
        self, run_id: str, around: Surroundings, *, interrupted: Callable[[str, State], None]
    ) -> None:
        self._run_id = run_id
        self._around = around
        self._interrupted = interrupted
        self._folder = around.staging / run_id / names.new_id("a")  # no attempt meets another's
        self._listening = Listening(run_id, around)
        self._worker: Worker | None = None
        self._preparing: asyncio.Task[StartTraining] | None = None
        self._stop: StopTraining | None = None
        self._leaving = ""  # why the trainer ends this life; empty while it does not

    @property
    def _run(self) -> Run:
        return self._around.records.get(self._run_id)

    # What may be asked of it.

    async def pause(self) -> None:
        await self._send(WorkerCommand(pause=PauseTraining()))

    async def resume(self) -> None:
        self._listening.advance_to = None
        await self._send(WorkerCommand(resume=ResumeTraining()))

    async def advance(self, steps: int) -> None:
        self._listening.advance_to = self._run.stats.step + steps
        await self._send(WorkerCommand(advance=AdvanceTraining(steps=steps)))

    async def adjust(self, live: LiveSettings) -> None:
        await self._send(WorkerCommand(adjust=live))

    async def stop(self, *, save: bool, weights_only: bool = False) -> None:
        """Before there is a worker, it takes effect at once."""
        self._stop = StopTraining(save=save, weights_only=weights_only)
        if self._worker is None:
            if self._preparing is not None:
                self._preparing.cancel()
            return
        await self._send(WorkerCommand(stop=self._stop))

    async def leave(self, reason: str, *, save: bool, weights_only: bool) -> None:
        """The trainer itself is ending: as `stop`, but the run counts as interrupted."""
        self._leaving = reason
        await self.stop(save=save, weights_only=weights_only)

    def kill(self) -> None:
        if self._worker is not None:
            self._worker.kill()

    async def stage(self, kind: worker_pb2.StagingKind.ValueType) -> Checkpoint:
        """The state of this moment, taken to the checkpoint service. Who asks while another waits
        for the same kind gets the same answer."""
        if self._worker is None or self._listening.outcome is not None:
            raise self._over()
        waiting, new = self._listening.awaited(kind)
        if new:
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
                self._listening.give_up(self._over())
        await self._last_uploads()
        if self._leaving and outcome.happening is not Happening.LAST_STEP_MADE:
            outcome = Outcome(Happening.VANISHED, self._leaving)
        was = self._run.state
        if not records.happen(self._run_id, outcome.happening, reason=outcome.reason):
            # A worker that says the run is stopped although nobody asked has lost its way.
            reason = outcome.reason or f"its worker reported {outcome.happening.name} unasked"
            records.happen(self._run_id, Happening.VANISHED, reason=reason)
        if self._run.state == run_pb2.RUN_STATE_INTERRUPTED:
            self._interrupted(self._run_id, was)
        if not self._around.uploads.busy(self._run_id):
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _attempt(self) -> Outcome:
        try:
            self._preparing = asyncio.create_task(self._prepare())
            start = await self._preparing
            worker = self._worker = await self._around.start_worker(
                self._run_id, processes=start.spec.budget.processes
            )
        except asyncio.CancelledError:
            if self._stop is None:
                raise
            return Outcome(Happening.STOP_OBEYED)
        except LabError as error:
            passes = error.code in sending.PASSING  # nothing is wrong with the run
            happening = Happening.VANISHED if passes else Happening.WENT_WRONG
            return Outcome(happening, error.message)
        except OSError as error:
            return Outcome(Happening.WENT_WRONG, str(error))
        try:
            start.live.CopyFrom(self._run.live)  # as it is now: preparing may have taken a while
            await worker.send(WorkerCommand(start=start))
            if self._stop is not None:  # asked for while the process was being made
                await worker.send(WorkerCommand(stop=self._stop))
            async for event in worker.events():
                await self._around.journal.room()
                await self._listening.take(event)
                if event.HasField("started") and start.resume_folder:
                    await asyncio.to_thread(shutil.rmtree, start.resume_folder, ignore_errors=True)
        except BaseException:
            worker.kill()
            await worker.ended()
            raise
        ending = await worker.ended()
        untold = await asyncio.to_thread(whole_saves, self._folder, but=self._listening.staged)
        for staged in untold:
            self._around.uploads.put(self._run, staged)
        return self._listening.outcome or Outcome(Happening.VANISHED, str(ending))

    async def _prepare(self) -> StartTraining:
        """The corpus tokenised, the checkpoint to go on from here and whole."""
        run, around = self._run, self._around
        await asyncio.to_thread(around.corpora.prepare, run.spec.data.corpus)
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        start = StartTraining(
            run=run.name,
            spec=run.spec,
            corpora_folder=str(around.corpora.folder),
            staging_folder=str(self._folder),
        )
        # Before a new claim shuts them out: what an earlier life of the run has still to send.
        await around.orphans.gone(self._run_id)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(UPLOAD_SECS):  # wait_for may swallow a cancellation
                await around.uploads.idle(self._run_id)
        start.fencing_token = await around.store.claim(self._run_id)
        if run.latest_checkpoint or run.HasField("parent"):
            start.resume_folder = str(self._folder / "resume")
            start.fork = not run.latest_checkpoint
            checkpoint = await self._fetch(run, start)
            self._listening.resumed_from = checkpoint.name
        return start

    async def _fetch(self, run: Run, start: StartTraining) -> Checkpoint:
        stub, folder = self._around.checkpoints, Path(start.resume_folder)
        if start.fork:
            return await fetch_parent(stub, run.name, run.parent.checkpoint, folder)
        try:
            found = await fetch_newest(
                stub, run.name, folder, fencing_token=start.fencing_token, warn=self._warn
            )
        except NotFound:
            run.latest_checkpoint = ""  # they were deleted; so it cannot be asked again
            raise
        run.latest_checkpoint = found.name
        return found

    async def _last_uploads(self) -> None:
        if self._leaving:
            return
        try:
            async with asyncio.timeout(UPLOAD_SECS):
                await self._around.uploads.idle(self._run_id)
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

    def _over(self) -> PreconditionFailed:
        return PreconditionFailed(
            f"{names.run_name(self._run_id)} came to its end before its state could be taken",
            metadata={"allowed": ""},
        )
