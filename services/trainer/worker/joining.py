"""How the processes of a run come to the same beginning: one spec, one text, one state."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from lab.errors import LabError, PreconditionFailed
from lab.v1.worker_pb2 import StartTraining
from services.trainer.worker.distributed import RankLost, Ranks
from services.trainer.worker.failures import reason
from services.trainer.worker.saving.state import read_checkpoint
from services.trainer.worker.training import Origin, Training, build, settle


def prepare(start: StartTraining, ranks: Ranks, *, corpora_folder: str = "") -> Training:
    """A training at the step where it begins, after a resume that of its checkpoint.

    Only rank 0 needs to be told what to train, and to have the checkpoint: the others learn both
    from it. On another machine the corpora lie in a folder of their own.
    """
    if ranks.leads:
        settle(start.spec, ranks)
    start.ParseFromString(ranks.share_bytes(start.SerializeToString()))
    if corpora_folder:
        start.corpora_folder = corpora_folder
    training: Training | None = None
    problem: Exception | None = None
    try:
        training = build(start, ranks)
        if start.resume_folder and ranks.leads:
            read_checkpoint(training, Path(start.resume_folder), fork=start.fork)
    except RankLost:
        raise
    except Exception as error:
        problem = error
    problem = _other_text(training, ranks) or problem
    problems = ranks.problems(reason(problem) if problem else "")
    if problem is not None:
        raise problem
    if problems:
        raise LabError("; ".join(problems))
    assert training is not None
    if start.resume_folder and ranks.several:
        origin = training.origin
        counts = torch.tensor([training.step, origin.step, origin.tokens, origin.sequence])
        ranks.share([counts, *_state(training)])
        training.step, *begun = counts.tolist()
        training.begin_at(Origin(*begun))
    return training


def _other_text(training: Training | None, ranks: Ranks) -> Exception | None:
    """Each machine tokenised its own copy of the corpus; were they different, so were the runs."""
    own = training.batches.position(0).fingerprint if training else ""
    first = ranks.share_bytes(own.encode()).decode()
    if own and first and own != first:
        return PreconditionFailed("its corpus is not the one that the first process reads")
    return None


def _state(training: Training) -> Iterator[Tensor]:
    """What a step changes, in place."""
    for parameter in training.model.parameters():
        state = training.optimizer.state[parameter]
        yield from (parameter.data, state["exp_avg"], state["exp_avg_sq"], state["step"])
