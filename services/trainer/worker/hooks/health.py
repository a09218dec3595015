"""Looks at the health of every tensor and layer at intervals."""

from lab.v1.worker_pb2 import WorkerEvent
from services.trainer.worker.events import Emit
from services.trainer.worker.hooks import Hook, Step
from services.trainer.worker.recording.health import measure_health
from services.trainer.worker.training import Training


class Health(Hook):
    """Off when health_every is 0."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit

    def after_step(self, training: Training, step: Step) -> None:
        every = training.spec.hooks.health_every
        # The first step is looked at too: what a run is like at its start is what it departs from.
        if not every or (training.step % every and training.step != 1):
            return
        if step.result.skipped_in_a_row:
            return  # nothing was changed; what is wrong is told with the step (see Spikes)
        measured = measure_health(training, step.result)
        self._emit(WorkerEvent(health_measured=measured))
