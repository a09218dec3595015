"""Small ways to make and read facts in tests."""

import asyncio
import contextlib
from collections.abc import Sequence

from lab.bus import Bus, tail
from lab.v1.event_pb2 import Event, StepMeasured


def step(run: str, sequence: int, *, loss: float = 1.0) -> Event:
    return Event(run=run, sequence=sequence, step_measured=StepMeasured(step=sequence, loss=loss))


class TailReader:
    """A tail running in the background; everything it handed out is in `seen`."""

    def __init__(
        self, bus: Bus, stream: str, subjects: Sequence[str], *, start_sequence: int = 1
    ) -> None:
        self._items = tail(bus, stream, subjects, start_sequence=start_sequence)
        self.seen: list[tuple[int, Event]] = []
        self.task: asyncio.Task[None] | None = None

    @property
    def sequences(self) -> list[int]:
        """Of the events, as the producer numbered them."""
        return [event.sequence for _, event in self.seen]

    @property
    def last(self) -> Event:
        return self.seen[-1][1] if self.seen else Event()

    async def __aenter__(self) -> "TailReader":
        async def read() -> None:
            async for item in self._items:
                self.seen.append(item)

        self.task = asyncio.create_task(read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.task is not None
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task
        await self._items.aclose()
