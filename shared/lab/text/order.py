"""Which window of its text a run reads when: a pure function of the seed, the epoch and the corpus.

A token row is cut into S windows of T + 1 tokens; window i covers [i T, i T + T + 1), so neighbours
share one token, which is the last target of the one and the first input of the next. Each epoch
shuffles the windows anew, and the shuffled epochs form one endless row of sequences.
"""

import numpy as np
from numpy.typing import NDArray

from lab.spec.randomness import derive
from lab.spec.resolve import windows


class DataOrder:
    """The endless row of one run."""

    def __init__(self, tokens: int, *, fingerprint: str, seed: int, context: int) -> None:
        """`tokens` are those of the training split."""
        self.epoch_sequences = windows(tokens, context)
        self._fingerprint = fingerprint
        self._seed = seed
        self._order: tuple[int, NDArray[np.int64]] | None = None  # of one epoch

    def window_at(self, place: int) -> int:
        """The window that stands at a place in the endless row."""
        epoch, index = divmod(place, self.epoch_sequences)
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, self._shuffled(epoch)
        return int(self._order[1][index])

    def _shuffled(self, epoch: int) -> NDArray[np.int64]:
        """Sorting random keys is a shuffle. Only raw draws are used: numpy promises that they
        stay the same in every version, which it does not promise of `permutation`."""
        seed = derive(self._seed, "order", epoch, self._fingerprint)
        keys = np.random.PCG64(seed).random_raw(self.epoch_sequences)
        return np.argsort(keys, kind="stable")
