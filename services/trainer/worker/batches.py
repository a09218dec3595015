"""Which sequences each step reads: a pure function of the seed, the epoch and the corpus.

The training split is cut into S windows of T + 1 tokens; window i covers [i T, i T + T + 1), so
neighbours share one token, which is the last target of the one and the first input of the next.
Each epoch shuffles the windows anew, and the shuffled epochs form one endless row of sequences.
Step k takes the next B: an epoch may end inside a batch, and a corpus may be smaller than one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lab.spec import windows
from lab.text import Tokens
from services.trainer.worker.randomness import derive


@dataclass(frozen=True)
class Position:
    """Where in the row of sequences a run is, and what that row depends on."""

    fingerprint: str
    seed: int
    context: int
    batch: int
    sequence: int


class Batches:
    """The training sequences of a run."""

    def __init__(
        self, tokens: Tokens, *, fingerprint: str, seed: int, context: int, batch: int
    ) -> None:
        self._tokens = tokens
        self._fingerprint = fingerprint
        self._seed = seed
        self._context = context
        self._batch = batch
        self.epoch_sequences = windows(len(tokens), context)
        self._first = (0, 0)  # steps made, and the place in the row where the next one begins
        self._order: tuple[int, NDArray[np.int64]] | None = None  # of one epoch

    def begin_at(self, *, step: int, sequence: int) -> None:
        """A fork begins where its parent was; its own batch may be another."""
        self._first = step, sequence

    def of_step(
        self, step: int, *, micro_batch: int, part: range | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and targets (b, T) of the update that makes step `step` of the run, b being
        micro_batch or, at the end, what is left. Several processes read a `part` each."""
        part = part if part is not None else range(self._batch)
        first = self._place(step - 1)
        for start in range(part.start, part.stop, micro_batch):
            places = range(first + start, first + min(start + micro_batch, part.stop))
            sequences = [self.sequence_at(place) for place in places]
            yield read_windows(self._tokens, sequences, context=self._context)

    def sequence_at(self, place: int) -> int:
        """The window that stands at a place in the endless row."""
        epoch, index = divmod(place, self.epoch_sequences)
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, self._shuffled(epoch)
        return int(self._order[1][index])

    def position(self, steps_made: int) -> Position:
        """What a checkpoint keeps, so that a resume can check that it reads the same row."""
        return Position(
            fingerprint=self._fingerprint,
            seed=self._seed,
            context=self._context,
            batch=self._batch,
            sequence=self._place(steps_made),
        )

    def _place(self, steps_made: int) -> int:
        first_step, first_sequence = self._first
        return first_sequence + (steps_made - first_step) * self._batch

    def _shuffled(self, epoch: int) -> NDArray[np.int64]:
        """Sorting random keys is a shuffle. Only raw draws are used: numpy promises that they
        stay the same in every version, which it does not promise of `permutation`."""
        seed = derive(self._seed, "order", epoch, self._fingerprint)
        keys = np.random.PCG64(seed).random_raw(self.epoch_sequences)
        return np.argsort(keys, kind="stable")


def read_windows(tokens: Tokens, sequences: list[int], *, context: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets (N, T) of windows: the targets are the inputs one token further on."""
    rows = np.stack([tokens[i * context : i * context + context + 1] for i in sequences])
    ids = torch.from_numpy(rows.astype(np.int64))  # (N, T + 1)
    return ids[:, :-1], ids[:, 1:]
