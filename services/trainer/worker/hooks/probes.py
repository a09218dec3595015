"""Looks at the run's probe texts: often while the model is young, then at intervals."""

from lab.v1.recording_pb2 import ProbeRecorded
from lab.v1.worker_pb2 import WorkerEvent
from services.trainer.worker.events import Emit
from services.trainer.worker.hooks import Hook, Step
from services.trainer.worker.recording.probing import Probes, choose_probes, probe
from services.trainer.worker.training import Training


def is_due(step: int, every: int) -> bool:
    """At 0, 1, 2, 4, 8 and on up to the interval, then at its multiples.

    A model changes fast while it is young and ever more slowly later: looks that lie ever further
    apart each see about as much that is new.
    """
    if step < every:
        return step & (step - 1) == 0
    return step % every == 0


class ProbeLooks(Hook):
    """Off when probe_every is 0."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._probes: Probes | None = None
        self._looked_step = -1

    def on_start(self, training: Training) -> None:
        if training.step == 0:  # a resumed run was looked at before it was saved
            self._look(training)

    def after_step(self, training: Training, step: Step) -> None:
        every = training.spec.hooks.probe_every
        if every and is_due(training.step, every):
            self._look(training)

    def on_end(self, training: Training) -> None:
        if self._looked_step != training.step:
            self._look(training)

    def _look(self, training: Training) -> None:
        if not training.spec.hooks.probe_every:
            return
        if self._probes is None:
            self._probes = choose_probes(training)
        if not self._probes.texts and self._probes.synthetic is None:
            return
        self._looked_step = training.step
        record = probe(training, self._probes)
        losses = [sum(text.losses) / len(text.losses) for text in record.texts]
        recorded = ProbeRecorded(step=training.step, losses=losses, record=record)
        self._emit(WorkerEvent(probe_recorded=recorded))
