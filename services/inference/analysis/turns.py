"""Analyses take turns: one at a time, because each may need a few hundred megabytes.

Short questions go before long ones that were asked a little earlier, also before one that is under
way: between two pieces of its work it lets them in. How long a question can be put off that way is
its patience, so none waits for ever behind short ones.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from lab.errors import Code, LabError
from lab.v1.error_pb2 import ErrorReason

MOST_WAITING_SECS: Final = 30.0  # half of what the gateway gives: the rest is for the computing

T = TypeVar("T")
Breathe = Callable[[], None]


class Abandoned(Exception):
    """Nobody waits for this answer any more."""


@dataclass(order=True)
class _Turn:
    """One question; `due` is when it was asked and its patience."""

    due: float
    number: int  # among equals the first comes first
    work: Callable[[Breathe], Any] = field(compare=False)
    answer: Future[Any] = field(compare=False, default_factory=Future)
    abandoned: bool = field(compare=False, default=False)


class Turns:
    """A thread and a short queue before it; one more than `limit` is refused."""

    def __init__(self, limit: int, *, most_waiting_secs: float = MOST_WAITING_SECS) -> None:
        self._limit = limit
        self._most_waiting_secs = most_waiting_secs
        self._taken = 0
        self._numbers = itertools.count()
        self._waiting: list[_Turn] = []  # a heap
        self._closed = False
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="analysis")

    async def run(self, work: Callable[[Breathe], T], *, patience_secs: float = 0.0) -> T:
        """The answer of `work`, which calls what it is given between pieces of its work. Who goes
        away gives up the turn, also in the middle of it."""
        if self._taken >= self._limit:
            raise _refused(
                f"{self._taken} analyses are under way or waiting, which is the limit; "
                "try again in a moment",
                {"limit": str(self._limit), "requested": str(self._taken + 1)},
            )
        turn = _Turn(time.monotonic() + patience_secs, next(self._numbers), work)
        answer = asyncio.wrap_future(turn.answer)
        self._taken += 1
        try:
            with self._lock:
                heapq.heappush(self._waiting, turn)
            self._thread.submit(self._next)
            await asyncio.wait([answer], timeout=self._most_waiting_secs)
            if turn.answer.cancel():  # its turn has not come
                ahead = self._ahead_of(turn)
                raise _refused(
                    f"{ahead} analyses are before this one, which has waited for "
                    f"{self._most_waiting_secs:g} s; try again in a moment, or with a shorter text",
                    {"ahead": str(ahead)},
                )
            result: T = await answer
            return result
        finally:
            self._taken -= 1
            turn.abandoned = True
            answer.cancel()

    def close(self) -> None:
        self._closed = True
        with self._lock:
            for turn in self._waiting:
                turn.answer.cancel()
        self._thread.shutdown(cancel_futures=True)

    def _ahead_of(self, turn: _Turn) -> int:
        """The one under way and those that wait before it."""
        with self._lock:
            return 1 + sum(one < turn and not one.answer.cancelled() for one in self._waiting)

    def _next(self) -> None:
        if turn := self._taken_from_queue():
            self._do(turn)

    def _taken_from_queue(self, *, before: _Turn | None = None) -> _Turn | None:
        with self._lock:
            if not self._waiting or (before is not None and not self._waiting[0] < before):
                return None
            return heapq.heappop(self._waiting)

    def _do(self, turn: _Turn) -> None:
        if not turn.answer.set_running_or_notify_cancel():
            return

        def breathe() -> None:
            if turn.abandoned or self._closed:
                raise Abandoned
            while urgent := self._taken_from_queue(before=turn):
                self._do(urgent)

        try:
            result = turn.work(breathe)
        except BaseException as error:  # whoever waits is told
            turn.answer.set_exception(error)
        else:
            turn.answer.set_result(result)


def _refused(message: str, metadata: Mapping[str, str]) -> LabError:
    return LabError(
        message,
        code=Code.RESOURCE_EXHAUSTED,
        reason=ErrorReason.ERROR_REASON_OVER_LIMIT,
        metadata=metadata,
    )
