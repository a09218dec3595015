"""Measures the validation loss before the first step, at intervals, and after the last."""

from services.trainer.worker.hooks import Hook, Hooks, Step
from services.trainer.worker.recording.evaluate import evaluate
from services.trainer.worker.training import Training


class Evaluations(Hook):
    """Off when evaluate_every is 0."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._evaluated_step = -1

    def on_start(self, training: Training) -> None:
        if training.step == 0:  # a resumed run was evaluated before it was saved
            self._evaluate(training)

    def after_step(self, training: Training, step: Step) -> None:
        every = training.spec.hooks.evaluate_every
        if every and training.step % every == 0:
            self._evaluate(training)

    def on_end(self, training: Training) -> None:
        if self._evaluated_step != training.step:
            self._evaluate(training)

    def _evaluate(self, training: Training) -> None:
        if training.spec.hooks.evaluate_every:
            evaluation = evaluate(training)
            training.validation_loss = evaluation.loss
            self._evaluated_step = training.step
            self._hooks.on_evaluate(training, evaluation)
