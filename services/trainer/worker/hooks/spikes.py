"""Flags steps whose loss or gradient is far out of the usual, with the batch that made them so."""

import math

from lab.v1 import event_pb2, recording_pb2
from lab.v1.recording_pb2 import SequenceLoss, SpikeFlagged, SpikeKind
from lab.v1.worker_pb2 import WorkerEvent
from services.trainer.worker.events import Emit, log
from services.trainer.worker.hooks import Hook, Step
from services.trainer.worker.recording.non_finite import first_non_finite
from services.trainer.worker.recording.spikes import Outlier, log_of
from services.trainer.worker.step import StepResult
from services.trainer.worker.training import Training

WORST = 4  # sequences of a batch that are named


class Spikes(Hook):
    """Looks where metrics are looked at: elsewhere nobody waits for the device."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit

    def after_step(self, training: Training, step: Step) -> None:
        every = training.spec.hooks.metrics_every
        if not every or training.step % every:
            return
        result = step.result
        if result.skipped_in_a_row:
            self._tell_skipped(training, result)
            return
        windows = training.windows
        warm = training.step > training.spec.schedule.warmup_steps  # before, everything moves
        loss = windows.loss.take(result.loss)
        norm = windows.log_grad_norm.take(log_of(result.grad_norm))
        if warm and loss:
            self._tell(training, result, recording_pb2.SPIKE_KIND_LOSS, result.loss, loss)
        if warm and norm:
            self._tell(training, result, recording_pb2.SPIKE_KIND_GRAD_NORM, result.grad_norm, norm)

    def _tell(
        self,
        training: Training,
        result: StepResult,
        kind: "SpikeKind.ValueType",
        value: float,
        outlier: Outlier,
    ) -> None:
        spike = _spike(training, result, kind)
        spike.value, spike.median, spike.z = value, outlier.median, outlier.z
        if kind == recording_pb2.SPIKE_KIND_GRAD_NORM:
            spike.median = math.exp(outlier.median)  # as the value: its window holds logarithms
        self._emit(WorkerEvent(spike_flagged=spike))

    def _tell_skipped(self, training: Training, result: StepResult) -> None:
        """There is nothing to draw: its loss or its gradient is no number."""
        spike = _spike(training, result, recording_pb2.SPIKE_KIND_NON_FINITE)
        spike.value = result.loss
        spike.first_tensor = first_non_finite(training)
        self._emit(WorkerEvent(spike_flagged=spike))
        where = f"First to be no number: {spike.first_tensor}. " if spike.first_tensor else ""
        text = (
            f"Step {training.step} was skipped: its loss was {result.loss:.4g}, its gradient norm "
            f"{result.grad_norm:.4g}. {where}The batch began at sequence {spike.data_position} of "
            "the data."
        )
        log(self._emit, text, step=training.step, level=event_pb2.LOG_LEVEL_WARNING)


def _spike(training: Training, result: StepResult, kind: "SpikeKind.ValueType") -> SpikeFlagged:
    losses = enumerate(result.sequence_losses)
    worst = sorted(losses, key=lambda pair: -pair[1] if pair[1] == pair[1] else -float("inf"))
    return SpikeFlagged(
        step=training.step,
        kind=kind,
        data_position=training.batches.position(training.step - 1).sequence,
        worst=[SequenceLoss(index=index, loss=loss) for index, loss in worst[:WORST]],
    )
