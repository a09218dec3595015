"""The history a forked run shares with those it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lab import names
from lab.v1.run_pb2 import Run


@dataclass(frozen=True)
class Ancestor:
    """A run, and up to which step its history is the descendant's too."""

    run_id: str
    to_step: int


def ancestors(run: Run, find: Callable[[str], Run | None]) -> Iterator[Ancestor]:
    """The parent first, then its parent. One that was deleted ends the row."""
    to_step = 2**32 - 1
    while run.HasField("parent"):
        to_step = min(to_step, run.parent.step)
        run_id = names.run_id(run.parent.run)
        parent = find(run_id)
        if parent is None or parent.create_time.ToNanoseconds() > run.create_time.ToNanoseconds():
            return  # deleted; perhaps the name was used again
        yield Ancestor(run_id, to_step)
        run = parent
