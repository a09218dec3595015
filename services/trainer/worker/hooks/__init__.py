"""What happens beside training. The loop calls four points and knows none of the hooks."""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.errors import LabError
from lab.link import LinkClosed
from lab.v1 import event_pb2
from services.trainer.worker.events import Emit, log
from services.trainer.worker.recording.evaluate import Evaluation
from services.trainer.worker.step import StepResult
from services.trainer.worker.training import Training


@dataclass(frozen=True)
class Step:
    """A step that was made, and the seconds it took."""

    result: StepResult
    secs: float


class Hook:
    """Override the points you need."""

    essential = False  # whether the run must end when this hook fails

    def on_start(self, training: Training) -> None:
        """Model and data are ready; nothing was done yet in this process."""

    def after_step(self, training: Training, step: Step) -> None:
        """A step was made; if it was no number, nothing was moved."""

    def on_evaluate(self, training: Training, evaluation: Evaluation) -> None:
        """The validation loss was measured."""

    def on_end(self, training: Training) -> None:
        """The last step was made. Not called when a run is stopped or fails."""


class Hooks:
    """All hooks, in order. One that fails is reported and left out from then on."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._hooks: list[Hook] = []

    def set(self, hooks: Sequence[Hook]) -> None:
        self._hooks = list(hooks)

    def on_start(self, training: Training) -> None:
        self._call(training, lambda hook: hook.on_start(training))

    def after_step(self, training: Training, step: Step) -> None:
        self._call(training, lambda hook: hook.after_step(training, step))

    def on_evaluate(self, training: Training, evaluation: Evaluation) -> None:
        self._call(training, lambda hook: hook.on_evaluate(training, evaluation))

    def on_end(self, training: Training) -> None:
        self._call(training, lambda hook: hook.on_end(training))

    def _call(self, training: Training, point: Callable[[Hook], None]) -> None:
        for hook in list(self._hooks):
            try:
                point(hook)
            except LinkClosed:
                raise
            except Exception as error:
                if hook.essential:
                    raise
                traceback.print_exc()
                self._hooks.remove(hook)
                name = type(hook).__name__.lower()
                cause = error.message if isinstance(error, LabError) else type(error).__name__
                text = f"{name} failed ({cause}) and is off for the rest of this run"
                log(self._emit, text, step=training.step, level=event_pb2.LOG_LEVEL_WARNING)
