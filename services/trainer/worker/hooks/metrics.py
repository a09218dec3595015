"""Tells the outside what was measured."""

from collections import deque

from lab.v1.event_pb2 import EvaluationCompleted, StepMeasured
from lab.v1.worker_pb2 import CheckpointStaged, WorkerEvent
from services.trainer.worker.evaluate import Evaluation
from services.trainer.worker.events import Emit, resident_bytes
from services.trainer.worker.hooks import Hook, Step
from services.trainer.worker.training import Training

SPEED_WINDOW_STEPS = 10


class Metrics(Hook):
    """Steps, evaluations and checkpoints as events."""

    essential = True

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._recent_secs: deque[float] = deque(maxlen=SPEED_WINDOW_STEPS)

    def after_step(self, training: Training, step: Step) -> None:
        self._recent_secs.append(step.secs)
        every = training.spec.hooks.metrics_every
        if not every or training.step % every:
            return
        batch_tokens = training.spec.budget.batch * training.spec.model.context
        measured = StepMeasured(
            step=training.step,
            tokens=training.tokens,
            loss=step.result.loss,
            grad_norm=step.result.grad_norm,
            learning_rate=step.result.learning_rate,
            tokens_per_sec=batch_tokens * len(self._recent_secs) / sum(self._recent_secs),
            step_secs=step.secs,
            memory_bytes=resident_bytes(),
            elapsed_secs=training.clock.secs,
        )
        self._emit(WorkerEvent(step_measured=measured))

    def on_evaluate(self, training: Training, evaluation: Evaluation) -> None:
        completed = EvaluationCompleted(
            step=training.step, loss=evaluation.loss, tokens=evaluation.tokens
        )
        self._emit(WorkerEvent(evaluation_completed=completed))

    def on_checkpoint(self, training: Training, staged: CheckpointStaged) -> None:
        self._emit(WorkerEvent(staged=staged))
