"""The newest numbers of a run, kept from the facts as they come. Plain functions."""

from lab.v1.event_pb2 import EvaluationCompleted, StepMeasured
from lab.v1.run_pb2 import RunStats
from services.trainer.journal.journal_file import Progress


def measured(stats: RunStats, step: StepMeasured) -> None:
    stats.step = step.step
    stats.tokens = step.tokens
    stats.loss = step.loss
    stats.tokens_per_sec = step.tokens_per_sec
    stats.elapsed_secs = step.elapsed_secs
    if step.elapsed_secs > 0:
        # What a step has cost so far, evaluations and samples included.
        per_step = step.elapsed_secs / step.step
        stats.remaining_secs = per_step * max(0, stats.total_steps - step.step)


def evaluated(stats: RunStats, evaluation: EvaluationCompleted) -> None:
    stats.validation_loss = evaluation.loss
    if not stats.HasField("best_validation_loss") or evaluation.loss < stats.best_validation_loss:
        stats.best_validation_loss = evaluation.loss


def set_back(stats: RunStats, progress: Progress, *, step: int) -> None:
    """The numbers as they were at an earlier step; the total and the sizes stay."""
    stats.ClearField("tokens_per_sec")
    stats.ClearField("remaining_secs")
    stats.ClearField("loss")
    stats.ClearField("validation_loss")
    stats.ClearField("best_validation_loss")
    stats.step = step
    stats.tokens = progress.tokens
    stats.elapsed_secs = progress.elapsed_secs
    if progress.loss is not None:
        stats.loss = progress.loss
    if progress.validation_loss is not None:
        stats.validation_loss = progress.validation_loss
    if progress.best_validation_loss is not None:
        stats.best_validation_loss = progress.best_validation_loss
