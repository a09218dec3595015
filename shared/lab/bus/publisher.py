"""Publishes journalled facts in order, each at least once; JetStream drops the repeats.

Facts wait in memory up to a limit. What comes beyond it, or waited on disk since an earlier life,
is read back from the journal once the server takes messages again.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

import nats.errors
import structlog
from nats.js import api
from nats.js.errors import APIError, NoStreamResponseError

from lab.bus.bus import LOST, Bus, Connection
from lab.bus.subjects import subject_of
from lab.v1.event_pb2 import Event

BATCH: Final = 256  # messages sent before their acknowledgements are awaited
ACK_TIMEOUT_SECS: Final = 5.0
RETRY_SECS: Final = 0.5
QUEUE_LIMIT: Final = 10_000
CONTENT_TYPE: Final = "application/protobuf; type=lab.v1.Event"

Refill = Callable[[str, int, int], Awaitable[Sequence[Event]]]  # run, after sequence, limit
Confirmed = Callable[[Sequence[Event]], None]

log = structlog.get_logger()


class Publisher:
    """`publish` never waits. `run` is the background task that does the work."""

    def __init__(
        self, bus: Bus, *, confirmed: Confirmed, refill: Refill, queue_limit: int = QUEUE_LIMIT
    ) -> None:
        self._bus = bus
        self._confirmed = confirmed
        self._refill = refill
        self._limit = queue_limit
        self._queue: deque[Event] = deque()
        self._behind: dict[str, int] = {}  # run -> sequence after which the journal must be read
        self._skipped: set[str] = set()  # runs of which an event passed by while behind
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def publish(self, events: Iterable[Event]) -> None:
        """Takes facts that are already on disk, in the order of their sequence."""
        for event in events:
            if event.run in self._behind:
                self._skipped.add(event.run)
            elif len(self._queue) >= self._limit:
                self.catch_up(event.run, after_sequence=event.sequence - 1)
            else:
                self._queue.append(event)
        self._wake()

    def catch_up(self, run: str, *, after_sequence: int) -> None:
        """Everything of the run after the sequence is read from the journal."""
        self._behind.setdefault(run, after_sequence)
        self._wake()

    async def idle(self) -> None:
        """Returns when everything is acknowledged."""
        await self._idle.wait()

    async def run(self) -> None:
        while True:
            connection = await self._bus.connection()
            try:
                while not connection.closed.is_set():
                    if not await self._next_batch(connection):
                        break
            except (*LOST, APIError, NoStreamResponseError) as error:
                log.info("publishing broken off", error=str(error) or type(error).__name__)
            await asyncio.sleep(RETRY_SECS)

    def _wake(self) -> None:
        if self._queue or self._behind:
            self._idle.clear()
            self._work.set()

    async def _next_batch(self, connection: Connection) -> bool:
        """Sends the oldest waiting facts; False when one of them was not taken."""
        if not self._queue:
            await self._read_back()
        if not self._queue:
            if not self._behind:
                self._idle.set()
                self._work.clear()
                await _first(self._work.wait(), connection.closed.wait())
            return True
        batch = [self._queue[index] for index in range(min(BATCH, len(self._queue)))]
        taken = await self._send(connection, batch)
        for _ in range(taken):
            self._queue.popleft()
        if taken:
            self._confirmed(batch[:taken])
        return taken == len(batch)

    async def _read_back(self) -> None:
        for run, after in list(self._behind.items()):
            self._skipped.discard(run)
            events = await self._refill(run, after, BATCH)
            if events:
                self._queue.extend(events)
                self._behind[run] = events[-1].sequence
            elif run not in self._skipped:  # nothing was committed while we looked
                del self._behind[run]

    async def _send(self, connection: Connection, batch: Sequence[Event]) -> int:
        """How many of the batch, counted from its start, the server has stored."""
        acks: list[asyncio.Future[api.PubAck] | None] = []
        for event in batch:
            acks.append(await self._send_one(connection, event))
        waiting = [ack for ack in acks if ack is not None]
        if waiting:
            await _first(asyncio.wait(waiting, timeout=ACK_TIMEOUT_SECS), connection.closed.wait())
        taken = 0
        for event, ack in zip(batch, acks, strict=True):
            if ack is not None and not (ack.done() and self._settled(event, ack)):
                break
            taken += 1
        for ack in waiting:
            if ack.done():
                ack.exception()  # looked at, so that asyncio does not complain
            else:
                ack.cancel()
        return taken

    async def _send_one(
        self, connection: Connection, event: Event
    ) -> "asyncio.Future[api.PubAck] | None":
        """The coming acknowledgement; None for a fact that no server would take."""
        try:
            return await connection.jetstream.publish_async(
                subject_of(event),
                event.SerializeToString(),
                headers={
                    api.Header.MSG_ID: f"{event.run}:{event.sequence}",
                    "Content-Type": CONTENT_TYPE,
                },
            )
        except nats.errors.MaxPayloadError:
            log.error("fact too large to publish", run=event.run, sequence=event.sequence)
            return None

    def _settled(self, event: Event, ack: "asyncio.Future[api.PubAck]") -> bool:
        """Whether the fact needs no more sending: stored, or refused for what it is."""
        error = ack.exception()
        if error is None:
            return True
        if isinstance(error, APIError) and error.code == 400:
            log.error("fact refused", run=event.run, sequence=event.sequence, error=str(error))
            return True
        log.warning("fact not stored", run=event.run, sequence=event.sequence, error=str(error))
        return False


async def _first(*work: Awaitable[object]) -> None:
    """Waits for whichever comes first and drops the rest."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
