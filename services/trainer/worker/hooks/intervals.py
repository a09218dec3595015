"""Measures how fast the run is, what it waits for and what it takes, every few seconds."""

import time
from collections.abc import Callable

import numpy as np

from lab.v1.recording_pb2 import IntervalMeasured
from lab.v1.worker_pb2 import WorkerEvent
from services.trainer.worker.events import Emit, resident_bytes
from services.trainer.worker.hooks import Hook, Step
from services.trainer.worker.recording.ceiling import flops_per_token, measure_ceiling
from services.trainer.worker.recording.usage import gpu_memory, memory_total_bytes
from services.trainer.worker.training import Training

# By the clock and not by steps: a step takes from 5 ms to half a minute, and who looks at a number
# wants it to move now and then, and not to flicker.
INTERVAL_SECS = 5.0
# The first steps are slower than the others, and the user waits for them.
CEILING_AFTER_STEPS = 5


class Intervals(Hook):
    """Adds up steps alone: whatever else a run does between them is not in these numbers."""

    def __init__(self, emit: Emit, *, now: Callable[[], float] = time.monotonic) -> None:
        self._emit = emit
        self._now = now
        self._began = now()
        self._secs: list[float] = []  # of each step of the interval
        self._waited_before = 0.0
        self._steps = 0  # made by this process
        self._ceiling: float | None = None  # operations per second

    def on_start(self, training: Training) -> None:
        self._began = self._now()
        self._waited_before = training.batches.read_secs

    def after_step(self, training: Training, step: Step) -> None:
        self._secs.append(step.secs)
        self._steps += 1
        if self._steps == CEILING_AFTER_STEPS:
            self._ceiling = measure_ceiling(training) * training.ranks.place.world
        if self._now() - self._began >= INTERVAL_SECS:
            self._tell(training)

    def on_end(self, training: Training) -> None:
        self._tell(training)

    def _tell(self, training: Training) -> None:
        if not self._secs:
            return
        secs, waited = sum(self._secs), training.batches.read_secs - self._waited_before
        speed = training.batch_tokens * len(self._secs) / secs
        p50, p95 = np.percentile(self._secs, [50, 95]).tolist()
        measured = IntervalMeasured(
            step=training.step,
            steps=len(self._secs),
            tokens_per_sec=speed,
            step_secs_p50=p50,
            step_secs_p95=p95,
            data_wait_share=min(1.0, waited / secs),
            memory_bytes=resident_bytes(),
            memory_total_bytes=memory_total_bytes(),
        )
        if (gpu := gpu_memory(training.device)) is not None:
            measured.gpu_allocated_bytes = gpu.allocated
            measured.gpu_reserved_bytes = gpu.reserved
            measured.gpu_total_bytes = gpu.total
        if self._ceiling is not None:
            measured.ceiling_flops_per_sec = self._ceiling
            measured.ceiling_share = speed * flops_per_token(training.spec.model) / self._ceiling
        self._emit(WorkerEvent(interval_measured=measured))
        self._began, self._waited_before = self._now(), training.batches.read_secs
        self._secs.clear()
