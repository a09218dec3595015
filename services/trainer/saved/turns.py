"""Sends a checkpoint slowly where training needs every core: this service and the one that takes it
spend 3 to 5 ms of a core on each megabyte, which is so much less training. Nothing is at stake
meanwhile: the folder that is sent is whole and found again whatever is killed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

BYTES_PER_SEC: Final = 12_000_000  # 4 to 6 % of a core, by what was measured
MOST_SECS: Final = 120.0  # then as fast as it takes to be there by then
ASKED_SECS: Final = 10.0  # the same, when somebody waits for it


class Turns:
    """`beside` says whether training goes on; once it does not, or somebody hurries, the rest goes
    as fast as it can."""

    def __init__(
        self, total_bytes: int, *, beside: Callable[[], bool], most_secs: float = MOST_SECS
    ) -> None:
        self._bytes_per_sec = max(BYTES_PER_SEC, total_bytes / most_secs)
        self._beside = beside
        self._hurried = asyncio.Event()
        self._began_secs = 0.0
        self._sent_bytes = 0

    def hurry(self) -> None:
        self._hurried.set()

    async def rest(self, sent_bytes: int) -> None:
        """Returns when the next bytes may be sent."""
        now_secs = asyncio.get_running_loop().time()
        again = sent_bytes <= self._sent_bytes  # the stream broke off
        first, self._sent_bytes = not self._sent_bytes or again, sent_bytes
        if first or self._hurried.is_set() or not self._beside():
            self._began_secs = now_secs - sent_bytes / self._bytes_per_sec
            return
        due_secs = self._began_secs + sent_bytes / self._bytes_per_sec - now_secs
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, due_secs)):
                await self._hurried.wait()
