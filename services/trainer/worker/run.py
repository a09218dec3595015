"""One run from its first command to its last event: what the worker is made of, on one page."""

import gc
import sys
import traceback
from functools import partial

from lab.link import Link, LinkClosed
from lab.torchrun import Place
from lab.v1.worker_pb2 import (
    StartTraining,
    TrainingFailed,
    TrainingFinished,
    TrainingStarted,
    WorkerEvent,
)
from services.trainer.worker.boundary import End, StepBoundary
from services.trainer.worker.control import Control
from services.trainer.worker.distributed import RankLost, Ranks
from services.trainer.worker.events import Heartbeat, Telling
from services.trainer.worker.failures import reason
from services.trainer.worker.following import Leading
from services.trainer.worker.hooks import Hooks
from services.trainer.worker.hooks.checkpoints import Checkpoints
from services.trainer.worker.hooks.evaluation import Evaluations
from services.trainer.worker.hooks.health import Health
from services.trainer.worker.hooks.intervals import Intervals
from services.trainer.worker.hooks.metrics import Metrics
from services.trainer.worker.hooks.probes import ProbeLooks
from services.trainer.worker.hooks.sampling import Sampling
from services.trainer.worker.hooks.spikes import Spikes
from services.trainer.worker.joining import prepare
from services.trainer.worker.loop import train
from services.trainer.worker.training import Training


def run(start: StartTraining, link: Link, heartbeat: Heartbeat, *, place: Place) -> int:
    """Trains and tells; the answer is the exit code. Raises LinkClosed when nobody listens."""
    control = Control()
    control.listen(link)
    training: Training | None = None
    try:
        ranks = Ranks(place)
        training = prepare(start, ranks)
        heartbeat.steps_made = partial(getattr, training, "step")
        # What is there now stays; looking through it for garbage again and again stalls a step.
        gc.collect()
        gc.freeze()
        end = _train(training, control, link)
        ranks.close()
    except LinkClosed:
        raise
    except RankLost as error:
        # Not a failure of the run: who started it may go on from the newest checkpoint.
        sys.stderr.write(f"{error}\n")
        return 1
    except Exception as error:
        traceback.print_exc()
        step = training.step if training else 0
        link.send(WorkerEvent(failed=TrainingFailed(step=step, reason=reason(error))))
        return 1
    if end is not End.LINK_CLOSED:
        stopped = end is End.STOPPED
        link.send(WorkerEvent(finished=TrainingFinished(step=training.step, stopped=stopped)))
    return 0


def _train(training: Training, control: Control, link: Link) -> End:
    tell = Telling(link.send)
    hooks = Hooks(tell)
    checkpoints = Checkpoints(tell, control)
    # In this order after each step: a checkpoint then holds the evaluation of its own step.
    hooks.set(
        [
            Metrics(tell),
            Spikes(tell),
            Health(tell),
            Intervals(tell),
            Evaluations(hooks),
            Sampling(tell),
            ProbeLooks(tell),
            checkpoints,
        ]
    )
    link.send(
        WorkerEvent(
            started=TrainingStarted(
                step=training.step,
                parameters=training.model.parameter_count(),
                corpus_tokens=training.train_tokens,
                epoch_sequences=training.batches.epoch_sequences,
                precision=training.spec.budget.precision,
                compile=training.spec.budget.compile,
                inexact_reasons=training.inexact_reasons,
            )
        )
    )
    boundary = StepBoundary(control, checkpoints, tell)
    if training.live.ListFields():
        boundary.tell_settings(training)  # those of a checkpoint may be news to the trainer
    try:
        end = train(training, Leading(boundary), hooks)
    finally:
        checkpoints.saver.wait()  # however it ends: what is under way is soon on disk
    if end is not End.LINK_CLOSED:
        checkpoints.finish(training)
    return end
