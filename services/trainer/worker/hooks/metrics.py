"""Tells the outside what was measured."""

from collections import deque

from lab.v1.event_pb2 import EvaluationCompleted, StepMeasured
from lab.v1.worker_pb2 import WorkerEvent
from services.trainer.worker.events import Emit, resident_bytes
from services.trainer.worker.hooks import Hook, Step
from services.trainer.worker.recording.evaluate import Evaluation
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
        result = step.result
        if result.skipped_in_a_row:
            return  # there is nothing to draw; Spikes tells it
        measured = StepMeasured(
            step=training.step,
            tokens=training.tokens,
            loss=result.loss,
            grad_norm=result.grad_norm,
            learning_rate=result.learning_rate,
            tokens_per_sec=training.batch_tokens * len(self._recent_secs) / sum(self._recent_secs),
            step_secs=step.secs,
            memory_bytes=resident_bytes(),
            elapsed_secs=training.clock.secs,
            data_position=training.batches.position(training.step - 1).sequence,
            sequence_losses=result.sequence_losses,
            clip_share=clip_share(result.grad_norm, clip=training.spec.optimizer.clip),
        )
        self._emit(WorkerEvent(step_measured=measured))

    def on_evaluate(self, training: Training, evaluation: Evaluation) -> None:
        completed = EvaluationCompleted(
            step=training.step,
            loss=evaluation.loss,
            tokens=evaluation.tokens,
            bits_per_byte=evaluation.bits_per_byte,
            text_bytes=evaluation.text_bytes,
        )
        self._emit(WorkerEvent(evaluation_completed=completed))


def clip_share(grad_norm: float, *, clip: float) -> float:
    """How much of the gradient is left when one longer than `clip` is shortened to it."""
    return min(1.0, clip / grad_norm) if clip and grad_norm else 1.0
