"""What each step reads: the next B sequences of the run's endless row (see lab.text.order).

An epoch may end inside a batch, and a corpus may be smaller than one.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lab.text import Tokens
from lab.text.order import DataOrder


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
        self._order = DataOrder(len(tokens), fingerprint=fingerprint, seed=seed, context=context)
        self.epoch_sequences = self._order.epoch_sequences
        self.read_secs = 0.0  # that steps have waited for their batches
        self._first = (0, 0)  # steps made, and the place in the row where the next one begins

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
            began = time.perf_counter()
            places = range(first + start, first + min(start + micro_batch, part.stop))
            sequences = [self.sequence_at(place) for place in places]
            read = read_windows(self._tokens, sequences, context=self._context)
            self.read_secs += time.perf_counter() - began
            yield read

    def sequence_at(self, place: int) -> int:
        """The window that stands at a place in the endless row."""
        return self._order.window_at(place)

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


def read_windows(tokens: Tokens, sequences: list[int], *, context: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets (N, T) of windows: the targets are the inputs one token further on."""
    rows = np.stack([tokens[i * context : i * context + context + 1] for i in sequences])
    ids = torch.from_numpy(rows.astype(np.int64))  # (N, T + 1)
    return ids[:, :-1], ids[:, 1:]
