"""A worker without a model: it counts steps, obeys as the real one does, and can be broken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from lab.v1.event_pb2 import SettingsChanged, StepMeasured
from lab.v1.run_spec_pb2 import PRECISION_AUTO, PRECISION_BF16
from lab.v1.worker_pb2 import (
    STAGING_KIND_CHECKPOINT,
    STAGING_KIND_WEIGHTS,
    CheckpointStaged,
    StageCheckpoint,
    StagingFailed,
    StartTraining,
    TrainingFailed,
    TrainingFinished,
    TrainingPaused,
    TrainingStarted,
    WorkerCommand,
    WorkerEvent,
)
from services.trainer.runs.worker_process import Ending

TOKENS = 64


class FakeWorker:
    """Makes a step each time the loop comes round to it."""

    def __init__(
        self, *, begin_at: int = 0, inexact: Sequence[str] = (), other_from_step: int | None = None
    ) -> None:
        self._inexact = inexact
        self._other_from_step = other_from_step  # from there on its losses are not the usual ones
        self.commands: list[WorkerCommand] = []
        self._inbox: asyncio.Queue[WorkerCommand] = asyncio.Queue()
        self._said: asyncio.Queue[WorkerEvent | None] = asyncio.Queue()
        self._step = begin_at
        self._paused = False
        self._advance = 0
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._running = asyncio.create_task(self._run())
        self.start: StartTraining | None = None
        self.disk_is_full = False
        self.deaf = False
        self._last_step: int | None = None

    @property
    def alive(self) -> bool:
        return not self._ending.done()

    # What the trainer uses.

    async def send(self, command: WorkerCommand) -> None:
        self.commands.append(command)
        self._inbox.put_nowait(command)

    async def events(self) -> AsyncIterator[WorkerEvent]:
        while (event := await self._said.get()) is not None:
            yield event

    async def ended(self) -> Ending:
        return await self._ending

    def kill(self) -> None:
        self.die(-9)

    # What tests use.

    def die(self, exit_code: int) -> None:
        """It is gone without a word."""
        if self.alive:
            self._running.cancel()
            self._ending.set_result(Ending(exit_code))
            self._said.put_nowait(None)

    def fail(self, reason: str) -> None:
        """It says what went wrong and ends."""
        self.say(WorkerEvent(failed=TrainingFailed(step=self._step, reason=reason)))
        self.die(1)

    def near_the_end(self) -> None:
        """The step it is at becomes its last."""
        self._last_step = self._step

    def say(self, event: WorkerEvent) -> None:
        self._said.put_nowait(event)

    async def _run(self) -> None:
        self.start = (await self._inbox.get()).start
        if self.start.resume_folder:
            self._step = int((Path(self.start.resume_folder) / "state.json").read_text())
        wanted = self.start.spec.budget.precision
        settled = PRECISION_BF16 if wanted == PRECISION_AUTO else wanted
        started = TrainingStarted(
            step=self._step, parameters=7, precision=settled, inexact_reasons=self._inexact
        )
        self.say(WorkerEvent(started=started))
        while self._step < (self._last_step or self.start.spec.budget.steps):
            if await self._boundary():
                return self._finish(stopped=True)
            self._step += 1
            loss = 1.0 + 1.0 / self._step
            if self._other_from_step is not None and self._step >= self._other_from_step:
                loss += 1e-9
            step = StepMeasured(step=self._step, tokens=self._step * TOKENS, loss=loss)
            step.elapsed_secs = self._step * 0.001
            self.say(WorkerEvent(step_measured=step))
            await asyncio.sleep(0.001)
        self._finish(stopped=False)

    async def _boundary(self) -> bool:
        """Whether to stop. Rests here while paused."""
        while True:
            while not self._inbox.empty():
                if self._obey(self._inbox.get_nowait()):
                    return True
            if not self._paused or self._advance:
                self._advance = max(0, self._advance - 1)
                return False
            self.say(WorkerEvent(paused=TrainingPaused(step=self._step)))
            if self._obey(await self._inbox.get()):
                return True

    def _obey(self, command: WorkerCommand) -> bool:
        match None if self.deaf else command.WhichOneof("command"):
            case "pause":
                self._paused, self._advance = True, 0
            case "resume":
                self._paused, self._advance = False, 0
            case "advance":
                self._advance += command.advance.steps if self._paused else 0
            case "stage":
                self._stage(command.stage)
            case "adjust":
                changed = SettingsChanged(step=self._step, live=command.adjust)
                self.say(WorkerEvent(settings_changed=changed))
            case "stop":
                if command.stop.save:
                    weights = command.stop.weights_only
                    kind = STAGING_KIND_WEIGHTS if weights else STAGING_KIND_CHECKPOINT
                    self._stage(StageCheckpoint(kind=kind))
                return True
        return False

    def _stage(self, request: StageCheckpoint) -> None:
        assert self.start is not None
        if self.disk_is_full:
            failed = StagingFailed(
                request_id=request.request_id, kind=request.kind, reason="make room on the disk"
            )
            return self.say(WorkerEvent(staging_failed=failed))
        folder = Path(self.start.staging_folder) / f"staged-{self._step}-{len(self.commands)}"
        folder.mkdir(parents=True)
        (folder / "state.json").write_text(str(self._step))
        staged = CheckpointStaged(
            request_id=request.request_id,
            kind=request.kind,
            folder=str(folder),
            step=self._step,
            tokens=self._step * TOKENS,
            fencing_token=self.start.fencing_token,
        )
        self.say(WorkerEvent(staged=staged))

    def _finish(self, *, stopped: bool) -> None:
        self.say(WorkerEvent(finished=TrainingFinished(step=self._step, stopped=stopped)))
        self._ending.set_result(Ending(0))
        self._said.put_nowait(None)


class FakeWorkers:
    """Starts fake workers and keeps them, by run."""

    def __init__(self) -> None:
        self.started: list[tuple[str, FakeWorker]] = []
        self.at_once = 0
        self.refusal: OSError | None = None
        self.inexact: Sequence[str] = ()
        self.other_from_step: int | None = None

    async def __call__(self, run: str, *, processes: int) -> FakeWorker:
        if self.refusal is not None:
            raise self.refusal
        worker = FakeWorker(inexact=self.inexact, other_from_step=self.other_from_step)
        self.started.append((run, worker))
        self.at_once = max(self.at_once, sum(one.alive for _, one in self.started))
        return worker

    def of(self, run_id: str) -> FakeWorker:
        """The newest worker of a run."""
        return [worker for owner, worker in self.started if owner == run_id][-1]
