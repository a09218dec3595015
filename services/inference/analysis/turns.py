"""Analyses take turns: one at a time, because each may need a few hundred megabytes."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lab.errors import Code, LabError
from lab.v1.error_pb2 import ErrorReason

T = TypeVar("T")


class Turns:
    """A thread and a short queue before it; one more than `limit` is refused."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="analysis")

    async def run(self, work: Callable[[], T]) -> T:
        """The answer of `work`. Who goes away while waiting gives up the turn."""
        if self._taken >= self._limit:
            raise LabError(
                f"{self._taken} analyses are under way or waiting, which is the limit; "
                "try again in a moment",
                code=Code.RESOURCE_EXHAUSTED,
                reason=ErrorReason.ERROR_REASON_OVER_LIMIT,
                metadata={"limit": str(self._limit), "requested": str(self._taken + 1)},
            )
        self._taken += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._taken -= 1

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)
