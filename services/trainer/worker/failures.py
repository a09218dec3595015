"""Turns what ended a run into a sentence for its user. The traceback goes to the log only."""

from lab.errors import LabError
from services.trainer.worker.hooks.checkpoints import NotSaved
from services.trainer.worker.step import Diverged

_OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "alloc_cpu")


def reason(error: BaseException) -> str:
    """What happened and what to try."""
    if isinstance(error, LabError):
        return error.message
    if isinstance(error, Diverged | NotSaved):
        return str(error)
    if isinstance(error, MemoryError) or any(mark in str(error) for mark in _OUT_OF_MEMORY):
        return (
            "The machine ran out of memory. Lower budget.micro_batch, model.context or "
            "model.width, or end other programs."
        )
    if isinstance(error, OSError) and error.strerror:
        return f"The system refused something the training needs: {error.strerror}."
    return (
        f"An error of the lab itself ({type(error).__name__}) ended the run; the trainer's log has "
        "the details."
    )
