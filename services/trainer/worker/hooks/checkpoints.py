"""Writes staging folders: on schedule, on request, at the end. The trainer takes them over."""

import shutil
import tempfile
import traceback
from pathlib import Path

from lab.v1 import event_pb2, worker_pb2
from lab.v1.worker_pb2 import (
    CheckpointStaged,
    StageCheckpoint,
    StagingFailed,
    StagingKind,
    WorkerEvent,
)
from services.trainer.worker.events import Emit, log
from services.trainer.worker.hooks import Hook, Hooks, Step
from services.trainer.worker.state import write_checkpoint, write_peek
from services.trainer.worker.training import Training


class NotSaved(Exception):
    """A checkpoint could not be written; the message says why and what to do."""


class Checkpoints(Hook):
    """Checkpoints of the run's own schedule, and answers to StageCheckpoint."""

    essential = True

    def __init__(self, hooks: Hooks, emit: Emit) -> None:
        self._hooks = hooks
        self._emit = emit

    def after_step(self, training: Training, step: Step) -> None:
        """A full disk does not end the training: the next interval may find room again."""
        every = training.spec.hooks.checkpoint_every
        last = training.step == training.spec.budget.steps
        if every and training.step % every == 0 and not (last and self._at_end(training)):
            self._try(training, worker_pb2.STAGING_KIND_CHECKPOINT)

    def on_end(self, training: Training) -> None:
        if self._at_end(training):
            self.save(training)

    def answer(self, training: Training, request: StageCheckpoint) -> None:
        """A request of the trainer; its answer carries the request's id."""
        if problem := self._try(training, request.kind, request_id=request.request_id):
            failed = StagingFailed(request_id=request.request_id, kind=request.kind, reason=problem)
            self._emit(WorkerEvent(staging_failed=failed))

    def save(self, training: Training) -> None:
        """A full checkpoint that must succeed: nothing is left to try again later."""
        self._stage(training, worker_pb2.STAGING_KIND_CHECKPOINT, request_id="")

    def _at_end(self, training: Training) -> bool:
        return training.spec.hooks.checkpoint_on_stop

    def _try(
        self, training: Training, kind: "StagingKind.ValueType", *, request_id: str = ""
    ) -> str:
        """Answers why it could not be done, or nothing."""
        try:
            self._stage(training, kind, request_id=request_id)
        except NotSaved as error:
            told = f"{error} Training goes on."
            log(self._emit, told, step=training.step, level=event_pb2.LOG_LEVEL_ERROR)
            return str(error)
        return ""

    def _stage(self, training: Training, kind: "StagingKind.ValueType", *, request_id: str) -> None:
        peek = kind == worker_pb2.STAGING_KIND_PEEK
        name = f"{'peek' if peek else 'checkpoint'}-{training.step:08d}-"
        folder: Path | None = None
        try:
            training.staging_folder.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=name, dir=training.staging_folder))
            (write_peek if peek else write_checkpoint)(training, folder)
        except Exception as error:
            traceback.print_exc()
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            cause = error.strerror if isinstance(error, OSError) else None
            raise NotSaved(
                f"The state of step {training.step} could not be written "
                f"({cause or type(error).__name__}); make room on the disk."
            ) from error
        staged = CheckpointStaged(
            request_id=request_id,
            kind=kind,
            folder=str(folder),
            step=training.step,
            tokens=training.tokens,
            loss=training.loss,
            validation_loss=training.validation_loss,
        )
        self._hooks.on_checkpoint(training, staged)
