"""Several processes that make each step together.

Every process (a rank) holds the whole model and reads its own part of the batch. Then the gradients
of all are added, and each makes the very same update. Because a loss is divided by the tokens of
the whole batch before its gradient is taken (see step), the sum over ranks is the gradient of the
whole batch, whoever read which part, and a run's curve does not depend on the number of processes
but for the order of additions.

This file is all there is of it: what rank 0 knows and the others need, and the sum. Rank 0 alone
talks to the trainer, evaluates, samples and saves; the others wait for its word at each boundary.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor

from lab.torchrun import Place


class RankLost(Exception):
    """Another process of the run is gone, so no step can be made."""


class Ranks:
    """The processes of this run. Where there is only one, everything here does nothing."""

    def __init__(self, place: Place | None = None) -> None:
        """With a world of several it meets the others, and waits until all are there."""
        self.place = place or Place()
        if self.place.world > 1:
            backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            dist.init_process_group(backend)

    @property
    def leads(self) -> bool:
        return self.place.leads

    @property
    def several(self) -> bool:
        return self.place.world > 1

    def part(self, batch: int) -> range:
        """The sequences of a batch that this process reads: neighbours, as even as can be."""
        return part_of(batch=batch, rank=self.place.rank, world=self.place.world)

    def sum(self, numbers: Tensor) -> None:
        """Adds up the numbers of all, in place. All get the same bits, as the updates must be.

        The gradients go through here in one piece. Pieces that are sent while the rest is still
        being computed gain nothing: the largest gradient of all, the head's, is the first to be
        begun and, being the embedding's too, the last to be complete (and with as many processes as
        cores, computing and sending want the same core).
        """
        if self.several:
            with _or_lost():
                dist.all_reduce(numbers)

    def whole(self, own: Tensor, *, batch: int) -> Tensor:
        """Puts together the numbers (batch) of which each process has its part."""
        if not self.several:
            return own
        together = torch.zeros(batch, dtype=own.dtype, device=own.device)
        part = self.part(batch)
        together[part.start : part.stop] = own
        self.sum(together)  # the others have zeros there
        return together

    def share(self, tensors: Iterable[Tensor]) -> None:
        """Gives everyone rank 0's numbers, in place."""
        if self.several:
            with _or_lost():
                for tensor in tensors:
                    dist.broadcast(tensor, src=0)

    def share_bytes(self, message: bytes) -> bytes:
        """Rank 0's message; what the others say here is not heard."""
        if not self.several:
            return message
        length = torch.tensor([len(message)])
        self.share([length])
        text = _bytes_tensor(message if self.leads else b"", size=int(length.item()))
        self.share([text])
        return bytes(text.tolist())

    def problems(self, mine: str) -> list[str]:
        """What prevents the others from starting, one sentence each, told to everyone."""
        if not self.several:
            return []
        own = _bytes_tensor(mine.encode()[:_PROBLEM_BYTES], size=_PROBLEM_BYTES)
        every = [torch.zeros_like(own) for _ in range(self.place.world)]
        with _or_lost():
            dist.all_gather(every, own)
        said = [bytes(one.tolist()).rstrip(b"\0").decode("utf-8", "ignore") for one in every]
        return [f"process {rank}: {problem}" for rank, problem in enumerate(said) if problem]

    def close(self) -> None:
        if self.several:
            dist.destroy_process_group()


def part_of(*, batch: int, rank: int, world: int) -> range:
    """The sequences of a batch that a rank reads."""
    return range(batch * rank // world, batch * (rank + 1) // world)


_PROBLEM_BYTES = 600


def _bytes_tensor(message: bytes, *, size: int) -> Tensor:
    """Filled up with zeros."""
    return torch.tensor(list(message.ljust(size, b"\0")), dtype=torch.uint8)


@contextmanager
def _or_lost() -> Iterator[None]:
    """torch tells all that goes wrong between processes as a RuntimeError."""
    try:
        yield
    except RuntimeError as error:
        raise RankLost(f"another process of the run is gone: {error}") from error
