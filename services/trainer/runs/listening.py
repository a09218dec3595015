"""What a worker says, turned into facts, numbers and moves of its run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError, Unavailable
from lab.v1 import event_pb2, run_pb2, worker_pb2
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.event_pb2 import Event, LogWritten, RunResumed
from lab.v1.recording_pb2 import RunRewound
from lab.v1.run_pb2 import Run, StepDiffered
from lab.v1.worker_pb2 import CheckpointStaged, StagingFailed, TrainingStarted, WorkerEvent
from services.trainer.journal import journal_file
from services.trainer.records import stats
from services.trainer.records.state import Happening
from services.trainer.runs.recomputed import Recorded, read_recorded
from services.trainer.runs.surroundings import Surroundings


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended."""

    happening: Happening
    reason: str = ""


class Listening:
    """`outcome` is what the worker said about its end, once it did. `advance_to` is the step at
    which an advance that was asked for ends, `resumed_from` the checkpoint the worker begins with,
    `staged` the folders it has told of.
    """

    def __init__(self, run_id: str, around: Surroundings) -> None:
        self._run_id = run_id
        self._around = around
        self._asked: dict[worker_pb2.StagingKind.ValueType, asyncio.Future[Checkpoint]] = {}
        self._recorded = Recorded()
        self.resumed_from = ""
        self.staged: set[Path] = set()
        self.outcome: Outcome | None = None
        self.advance_to: int | None = None

    @property
    def _run(self) -> Run:
        return self._around.records.get(self._run_id)

    def awaited(
        self, kind: worker_pb2.StagingKind.ValueType
    ) -> tuple[asyncio.Future[Checkpoint], bool]:
        """What will be the answer to a request of the kind, and whether it must still be made."""
        if kind in self._asked:
            return self._asked[kind], False
        waiting = self._asked[kind] = asyncio.get_running_loop().create_future()
        waiting.add_done_callback(_look)
        return waiting, True

    def give_up(self, error: LabError) -> None:
        """Answers every request that is still waiting."""
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(error)
        self._asked.clear()

    async def take(self, event: WorkerEvent) -> None:
        """One thing the worker said."""
        records, run = self._around.records, self._run
        match kind := event.WhichOneof("event"):
            case "started":
                await self._begin(event.started)
            case "step_measured":
                stats.measured(run.stats, event.step_measured)
                self._differ(self._recorded.compare_step(event.step_measured))
                records.say(self._run_id, Event(step_measured=event.step_measured))
            case "evaluation_completed":
                stats.evaluated(run.stats, event.evaluation_completed)
                self._differ(self._recorded.compare_evaluation(event.evaluation_completed))
                records.say(self._run_id, Event(evaluation_completed=event.evaluation_completed))
            case (
                "text_sampled"
                | "interval_measured"
                | "health_measured"
                | "spike_flagged"
                | "probe_recorded"
                | "log_written"
            ):
                records.say(self._run_id, Event(**{kind: getattr(event, kind)}))
            case "settings_changed":
                changed = event.settings_changed
                if not run.HasField("live"):  # a fork begins with those of its checkpoint
                    run.live.CopyFrom(changed.live)
                    records.changed(self._run_id)
                records.say(self._run_id, Event(settings_changed=changed))
            case "paused":
                self._halt(event.paused.step)
            case "staged":
                self._deliver(event.staged)
            case "staging_failed":
                self._refuse(event.staging_failed)
            case "finished":
                run.stats.step = event.finished.step
                obeyed = event.finished.stopped
                self.outcome = Outcome(
                    Happening.STOP_OBEYED if obeyed else Happening.LAST_STEP_MADE
                )
            case "failed":
                run.stats.step = event.failed.step
                self.outcome = Outcome(Happening.WENT_WRONG, event.failed.reason)
            case "beat":
                run.stats.step = max(run.stats.step, event.beat.step)

    async def _begin(self, started: TrainingStarted) -> None:
        """The numbers are set to where the worker begins: after a resume, to its checkpoint."""
        journal = self._around.journal
        await journal.committed(self._run_id, journal.last_sequence(self._run_id))
        progress, newest, self._recorded = await journal.read(
            self._run_id,
            lambda file: (
                journal_file.progress_at(file, started.step),
                journal_file.newest_step(file),
                read_recorded(file, after_step=started.step),
            ),
        )
        if newest > started.step:
            rewound = RunRewound(step=started.step)
            self._around.records.say(self._run_id, Event(run_rewound=rewound))
        run = self._run
        if progress.step or not run.HasField("parent"):
            stats.set_back(run.stats, progress, step=started.step)
        run.stats.step = started.step
        for reason in started.inexact_reasons:
            if reason not in run.inexact_reasons:
                run.inexact_reasons.append(reason)
        if self.resumed_from:
            self._tell_resumed(started)
        if started.precision:  # what an auto became; a resume finds it settled
            run.spec.budget.precision = started.precision
        if started.compile:
            run.spec.budget.compile = started.compile
        run.stats.parameters = started.parameters
        run.stats.corpus_tokens = started.corpus_tokens
        run.stats.epoch_sequences = started.epoch_sequences
        self._around.records.happen(self._run_id, Happening.STEPS_BEGIN)

    def _tell_resumed(self, started: TrainingStarted) -> None:
        resumed = RunResumed(
            checkpoint=self.resumed_from,
            step=started.step,
            restart=self._run.restarts,
            inexact_reasons=started.inexact_reasons,
        )
        self._around.records.say(self._run_id, Event(run_resumed=resumed))

    def _differ(self, differed: StepDiffered | None) -> None:
        """A broken promise is shown: in the run, as a fact, and in words."""
        if differed is None:
            return
        run = self._run
        if not run.HasField("difference"):
            run.difference.CopyFrom(differed)
            self._around.records.changed(self._run_id)
        self._around.records.say(self._run_id, Event(step_differed=differed))
        why = "; ".join(run.inexact_reasons) or "nothing is known to have changed"
        text = (
            f"Step {differed.step:,} was made again, and its {differed.metric} is "
            f"{differed.recomputed!r} instead of {differed.recorded!r}: the run is not bit for bit "
            f"what it would be without a break ({why})."
        )
        written = LogWritten(level=event_pb2.LOG_LEVEL_WARNING, text=text, step=differed.step)
        self._around.records.say(self._run_id, Event(log_written=written))

    def _halt(self, step: int) -> None:
        """A pause that was taken back meanwhile does not count; the worker is about to go on."""
        run = self._run
        run.stats.step = step
        if run.state == run_pb2.RUN_STATE_RUNNING and (
            self.advance_to is None or step < self.advance_to
        ):
            return
        self.advance_to = None
        self._around.records.happen(self._run_id, Happening.BOUNDARY_REACHED)

    def _deliver(self, staged: CheckpointStaged) -> None:
        self.staged.add(Path(staged.folder))
        task = self._around.uploads.put(self._run, staged)
        waiting = self._asked.pop(staged.kind, None) if staged.request_id else None
        if waiting is not None:
            task.add_done_callback(lambda task: _copy(task, waiting))

    def _refuse(self, failed: StagingFailed) -> None:
        waiting = self._asked.pop(failed.kind, None)
        if waiting is not None and not waiting.done():
            waiting.set_exception(Unavailable(failed.reason))


def _copy(task: asyncio.Task[Checkpoint], waiting: asyncio.Future[Checkpoint]) -> None:
    if waiting.done():
        return
    if task.cancelled():
        waiting.set_exception(Unavailable("the trainer is ending; the checkpoint is sent later"))
    elif error := task.exception():
        waiting.set_exception(error)
    else:
        waiting.set_result(task.result())


def _look(future: asyncio.Future[Checkpoint]) -> None:
    """Whoever asked may have left; then nobody else looks at the error."""
    if not future.cancelled():
        future.exception()
