"""Saves the run by its policy, on request and at its end, beside the training. The trainer takes
over what was written."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from lab import manifest
from lab.link import LinkClosed
from lab.spec import saving_policy
from lab.v1 import event_pb2, worker_pb2
from lab.v1.checkpoint_pb2 import CheckpointFile
from lab.v1.worker_pb2 import (
    STAGING_KIND_CHECKPOINT,
    STAGING_KIND_PEEK,
    STAGING_KIND_WEIGHTS,
    CheckpointStaged,
    StageCheckpoint,
    StagingFailed,
    Told,
    WorkerEvent,
)
from services.trainer.worker.control import Control
from services.trainer.worker.events import Telling, log
from services.trainer.worker.hooks import Hook, Step
from services.trainer.worker.recording.evaluate import Evaluation
from services.trainer.worker.saving.pacing import MOST_SECS, Pace, hurried
from services.trainer.worker.saving.saver import Saver, Written
from services.trainer.worker.saving.state import content
from services.trainer.worker.training import Training, crowded

Kind: TypeAlias = "worker_pb2.StagingKind.ValueType"


END, STOP = "end of the run", "stopped"
_LAST = (END, STOP)
ASKED_SECS = 10.0  # for which a save that somebody asked for may be held back
_WORDS = {  # begin the names of staging folders
    STAGING_KIND_CHECKPOINT: "checkpoint",
    STAGING_KIND_WEIGHTS: "weights",
    STAGING_KIND_PEEK: "peek",
}


class NotSaved(Exception):
    """A checkpoint could not be written; the message says why and what to do."""


@dataclass(frozen=True)
class Wish:
    """That the run be saved: by whom it is wished, and what it is to become."""

    kind: Kind
    because: str
    request_id: str = ""


class Checkpoints(Hook):
    """One save is under way at a time. What is wished meanwhile is saved as soon as that is done,
    once, as the run is then."""

    essential = True

    def __init__(self, emit: Telling, control: Control) -> None:
        self._emit = emit
        self._control = control
        self._wishes: list[Wish] = []
        self._new_best = False
        self._saved_secs: float | None = None  # of training, when it was last saved by its policy
        self._told_short_memory = self._told_busy = False
        self._newest: dict[Kind, int] = {}  # the step of what is on disk
        self._problem = ""  # of the newest save
        self.saver = Saver()

    def on_start(self, training: Training) -> None:
        self._saved_secs = training.clock.secs

    def on_evaluate(self, training: Training, evaluation: Evaluation) -> None:
        best = training.best_validation_loss
        if best is None or evaluation.loss < best:
            training.best_validation_loss = evaluation.loss
            self._new_best = training.step > 0  # untrained weights are no achievement

    def after_step(self, training: Training, step: Step) -> None:
        because = self._due(training)
        last = training.step == training.spec.budget.steps
        policy = saving_policy(training.spec.hooks, training.live)
        if because and not (last and policy.on_stop):
            self._saved_secs = training.clock.secs
            self._wish(training, Wish(_kind(policy.weights_only), because))
        self.serve(training)

    def on_end(self, training: Training) -> None:
        policy = saving_policy(training.spec.hooks, training.live)
        if policy.on_stop:
            self.save_last(training, because=END, weights_only=policy.weights_only)
        elif policy.best and self._new_best:
            self._wish(training, Wish(_kind(policy.weights_only), "best validation loss"))

    def answer(self, training: Training, request: StageCheckpoint) -> None:
        """A request of the trainer; its answer carries the request's id."""
        wish = Wish(request.kind, _asked(request.kind), request_id=request.request_id)
        self._wish(training, wish)
        self.serve(training)

    def serve(self, training: Training) -> None:
        """Begins what is wished, if nothing is under way; called at every step boundary."""
        if not self.saver.free:
            return
        if self._wishes:
            kind = self._wishes[0].kind
            wishes = [wish for wish in self._wishes if wish.kind == kind]
            self._wishes = [wish for wish in self._wishes if wish.kind != kind]
            self._begin(training, kind, wishes)
        elif self.saver.buffers.size_bytes and self._off(training):
            self.saver.buffers.release()

    def hurry(self) -> None:
        """No step is made for a while, so none is disturbed."""
        self.saver.hurry()

    def save_last(self, training: Training, *, because: str, weights_only: bool = False) -> None:
        """A checkpoint that must succeed: nothing is left to try again later."""
        self.finish(training)
        kind = _kind(weights_only)
        if training.step not in (self._newest.get(kind), self._newest.get(STAGING_KIND_CHECKPOINT)):
            self._begin(training, kind, [Wish(kind, because)])
            self.saver.wait()
            if self._problem:
                raise NotSaved(self._problem)

    def finish(self, training: Training) -> None:
        """Writes all that is wished before the worker goes on to end."""
        self.saver.wait()
        while self._wishes:
            self.serve(training)
            self.saver.wait()

    def _due(self, training: Training) -> str:
        """Why the policy wants a checkpoint of this step; empty when it does not."""
        policy = saving_policy(training.spec.hooks, training.live)
        new_best, self._new_best = self._new_best, False
        if new_best and policy.best:
            return "best validation loss"
        if policy.every_steps and training.step % policy.every_steps == 0:
            return f"every {policy.every_steps:,} steps"
        if policy.log_spaced and training.step & (training.step - 1) == 0:
            return "1, 2, 4, 8 and so on steps"
        since = training.clock.secs - (self._saved_secs or 0.0)
        if policy.every_secs and since >= policy.every_secs:
            return f"every {policy.every_secs / 60:g} minutes"
        return ""

    def _off(self, training: Training) -> bool:
        return saving_policy(training.spec.hooks, training.live).off

    def _wish(self, training: Training, wish: Wish) -> None:
        """Waits while a save is under way; of the policy's own wishes one is enough."""
        self.saver.hurry()  # what is under way, so that this one is not too late
        if not self.saver.free and wish.kind != STAGING_KIND_PEEK and not self._told_busy:
            self._told_busy = True  # once for each save that is waited for
            text = (
                f"A save is still being written; the one of step {training.step:,} "
                f"({wish.because}) begins when it is done."
            )
            log(self._emit, text, step=training.step)
        if wish.request_id or not any(
            not each.request_id and each.kind == wish.kind for each in self._wishes
        ):
            self._wishes.append(wish)

    def _begin(self, training: Training, kind: Kind, wishes: list[Wish]) -> None:
        began = time.perf_counter()
        self._told_busy = False
        peek = kind == STAGING_KIND_PEEK
        full = kind == STAGING_KIND_CHECKPOINT
        # This hook comes last: all of the step is told.
        told, mark = self._emit.so_far() if full else ([], 0)
        staged = CheckpointStaged(
            kind=kind,
            step=training.step,
            tokens=training.tokens,
            loss=training.loss,
            validation_loss=training.validation_loss,
            fencing_token=training.fencing_token,
            saved_because="" if peek else ", ".join(dict.fromkeys(wish.because for wish in wishes)),
        )
        pace = self._pace(training, wishes)
        staged.beside_training = pace is not None
        beside = self.saver.begin(
            content(training, full=full),
            into=training.staging_folder,
            prefix=f"{_WORDS[kind]}-{training.step:08d}-",
            began=began,
            pace=pace or hurried(),
            seal=partial(_seal, staged, told),
            done=partial(self._done, staged, [wish.request_id for wish in wishes], mark),
        )
        if not beside and not self._told_short_memory:
            self._told_short_memory = True
            text = (
                "Memory is short: there is no room for a copy of the state, so training halts "
                "while it is written."
            )
            log(self._emit, text, step=training.step, level=event_pb2.LOG_LEVEL_WARNING)

    def _pace(self, training: Training, wishes: list[Wish]) -> Pace | None:
        """None where nothing is gained by taking turns: when training leaves a core to the writer,
        when it ends, and for a peek, which somebody waits to look at."""
        if not crowded(training) or any(
            wish.kind == STAGING_KIND_PEEK or wish.because in _LAST for wish in wishes
        ):
            return None
        waited_for = any(wish.request_id for wish in wishes)
        return Pace(most_secs=ASKED_SECS if waited_for else MOST_SECS)

    def _done(
        self, staged: CheckpointStaged, requests: list[str], mark: int, written: Written
    ) -> None:
        """In the writer's thread, or in the training's when that had to wait."""
        asked = [request for request in requests if request]
        with contextlib.suppress(LinkClosed):  # the control hears of it too
            if written.problem:
                self._tell_problem(staged, asked, written.problem)
            else:
                self._problem = ""
                staged.request_id = asked[0] if asked else ""  # one answers all of the same kind
                staged.stall_secs, staged.write_secs = written.stall_secs, written.write_secs
                self._newest[staged.kind] = staged.step
                self._emit.saved(mark)
                self._emit(WorkerEvent(staged=staged))
        self._control.wake()  # a paused run may have something waiting

    def _tell_problem(self, staged: CheckpointStaged, requests: list[str], problem: str) -> None:
        """A full disk does not end the training: the next save may find room again."""
        self._problem = (
            f"The state of step {staged.step:,} could not be written ({problem}); "
            "make room on the disk."
        )
        if staged.saved_because not in _LAST:
            told = f"{self._problem} Training goes on."
            log(self._emit, told, step=staged.step, level=event_pb2.LOG_LEVEL_ERROR)
        for request in requests:
            failed = StagingFailed(request_id=request, kind=staged.kind, reason=self._problem)
            self._emit(WorkerEvent(staging_failed=failed))


def _seal(
    staged: CheckpointStaged,
    told: Sequence[WorkerEvent],
    folder: Path,
    files: Sequence[CheckpointFile],
) -> None:
    """From here on the save outlives this process, also when its word for it does not arrive."""
    staged.folder = str(folder)
    staged.files.extend(files)
    if staged.kind != STAGING_KIND_PEEK:  # of which nothing is left when nobody waits any more
        manifest.write_staged(folder, staged, Told(events=told) if told else None)


def _kind(weights_only: bool) -> Kind:
    return STAGING_KIND_WEIGHTS if weights_only else STAGING_KIND_CHECKPOINT


def _asked(kind: Kind) -> str:
    return "" if kind == STAGING_KIND_PEEK else "asked for"
