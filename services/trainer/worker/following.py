"""A process of a run that is not its first: it makes the steps, and obeys the first."""

import sys
import traceback

import torch

from lab.torchrun import Place
from lab.v1.worker_pb2 import StartTraining
from services.trainer.worker.boundary import End, StepBoundary
from services.trainer.worker.distributed import RankLost, Ranks
from services.trainer.worker.hooks import Hooks
from services.trainer.worker.joining import prepare
from services.trainer.worker.loop import train
from services.trainer.worker.step import Diverged
from services.trainer.worker.training import Training

_STEP, _REST = 0.0, -1.0  # an end is 1 or more: its place in _ENDS
_ENDS = (End.STOPPED, End.LINK_CLOSED)


class Leading:
    """What the boundary decides holds for all: before each step rank 0 says what comes."""

    def __init__(self, boundary: StepBoundary) -> None:
        self._boundary = boundary

    def cross(self, training: Training) -> End | None:
        """While the run rests, the others hear so every now and then: silence would mean death."""
        end = self._boundary.cross(training, rest=lambda: _say(training, _REST))
        _say(training, _STEP if end is None else 1.0 + _ENDS.index(end))
        return end

    def answer_last_requests(self, training: Training) -> None:
        self._boundary.answer_last_requests(training)


class Following:
    """The other side of Leading."""

    def cross(self, training: Training) -> End | None:
        while (said := _hear(training)) == _REST:
            pass
        return None if said == _STEP else _ENDS[int(said) - 1]

    def answer_last_requests(self, training: Training) -> None:
        """Nobody asks a follower."""


def _say(training: Training, what: float) -> None:
    training.ranks.share([torch.tensor([what, training.rate_scale], dtype=torch.float64)])


def _hear(training: Training) -> float:
    """Also the learning rate's scale, which the user may change at any time."""
    said = torch.zeros(2, dtype=torch.float64)
    training.ranks.share([said])
    what, scale = said.tolist()
    training.live.learning_rate_scale = scale
    return float(what)


def follow(place: Place, *, corpora_folder: str) -> int:
    """Takes part until the run ends; the answer is the exit code."""
    try:
        ranks = Ranks(place)
        training = prepare(StartTraining(), ranks, corpora_folder=corpora_folder)
        train(training, Following(), Hooks(lambda _event: None))
        ranks.close()
    except Diverged:
        return 0  # the first process sees the same and says so
    except RankLost as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except Exception:
        traceback.print_exc()
        return 1
    return 0
