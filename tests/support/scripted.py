"""What fake services have in common: every call is written down, and may be refused or held."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from google.protobuf.message import Message

from lab.errors import LabError


class Scripted:
    """`fail_next("PauseRun", error)` refuses one call; `hold("Generate")` keeps calls waiting."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Message]] = []
        self._failures: dict[str, list[LabError]] = defaultdict(list)
        self._held: dict[str, asyncio.Event] = {}

    def fail_next(self, method: str, error: LabError) -> None:
        self._failures[method].append(error)

    @contextmanager
    def hold(self, method: str) -> Iterator[None]:
        self._held[method] = asyncio.Event()
        try:
            yield
        finally:
            self._held.pop(method).set()

    def called(self, method: str) -> list[Any]:
        """The requests of all calls of a method, oldest first."""
        return [request for name, request in self.calls if name == method]

    async def entering(self, method: str, request: Message) -> None:
        """Said by a fake at the start of each call."""
        self.calls.append((method, request))
        if held := self._held.get(method):
            await held.wait()
        if self._failures[method]:
            raise self._failures[method].pop(0)
