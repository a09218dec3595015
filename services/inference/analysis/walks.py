"""The last forward passes, kept for the next question about the same text of the same model.

A page asks five things of a text at once, and all of them begin with the same walk through the
model. Kept is a walk with the attention weights of every layer: so an answer never depends on what
was asked before it.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Collection, Sequence

from lab.analysis.trace import Trace, trace
from lab.model import GPTConfig, GPTModel


class Walks:
    """Least recently used ones are let go first. For one thread: that of the analyses."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        # A network that is gone may leave its id to another, hence the reference beside the walk.
        self._kept: OrderedDict[_Key, tuple[weakref.ref[GPTModel], Trace]] = OrderedDict()
        self._sizes: dict[_Key, int] = {}

    @property
    def held_bytes(self) -> int:
        return sum(self._sizes.values())

    def of(self, model: GPTModel, ids: Sequence[int], *, weights_of: Collection[int] = ()) -> Trace:
        """A walk that has at least the attention weights of these layers."""
        size = walk_bytes(model.config, len(ids))
        if size > self._max_bytes:
            return trace(model, ids, weights_of=weights_of)
        key = (id(model), tuple(ids))
        if key in self._kept:
            of, walked = self._kept[key]
            if of() is model:
                self._kept.move_to_end(key)
                return walked
            self._let_go(key)
        while self._kept and self.held_bytes + size > self._max_bytes:
            self._let_go(next(iter(self._kept)))
        walked = trace(model, ids, weights_of=range(model.config.layers))
        self._kept[key], self._sizes[key] = (weakref.ref(model), walked), size
        return walked

    def _let_go(self, key: _Key) -> None:
        del self._kept[key], self._sizes[key]


def walk_bytes(config: GPTConfig, tokens: int) -> int:
    """Of a walk with all attention weights: five streams a layer and three beside, in fp32."""
    streams = (5 * config.layers + 3) * tokens * config.width
    return 4 * (streams + config.layers * config.heads * tokens * tokens)


_Key = tuple[int, tuple[int, ...]]
