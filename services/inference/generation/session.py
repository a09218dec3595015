"""Runs generations in threads, one token at a time, so that the event loop stays free.

A token is only computed when it is asked for: a reader that is slow or gone stops the work within
one token, without anything to signal.
"""

import asyncio
import codecs
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from lab.errors import Code, LabError
from lab.v1.error_pb2 import ErrorReason
from services.inference.generation.engine import Drawn


class Sessions:
    """At most `limit` generations at once; one more is refused, not queued."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._threads = ThreadPoolExecutor(limit, thread_name_prefix="generation")
        self.running = 0

    async def run(self, drawing: Iterator[Drawn]) -> AsyncIterator[Drawn]:
        with self._place():
            loop = asyncio.get_running_loop()
            while (
                drawn := await loop.run_in_executor(self._threads, next, drawing, None)
            ) is not None:
                yield drawn

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self.running >= self._limit:
            raise LabError(
                f"{self.running} texts are being generated, which is the limit; "
                "wait for one to end or cancel it",
                code=Code.RESOURCE_EXHAUSTED,
                reason=ErrorReason.ERROR_REASON_OVER_LIMIT,
                metadata={"limit": str(self._limit), "requested": str(self.running + 1)},
            )
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1


class TextDeltas:
    """Bytes in, text out: holds back the bytes of a character until it is complete."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def add(self, data: bytes) -> str:
        return self._decoder.decode(data)

    def rest(self) -> str:
        """What is left at the end: a character that was never finished shows as U+FFFD."""
        return self._decoder.decode(b"", final=True)
