"""Reads a stream in order from a given place on, through restarts of the server.

The reader keeps its own place and looks at the consumer's numbering: whatever goes wrong (a deleted
consumer, a killed server, a message dropped on the way), it asks again for what follows the last
event it handed out. So nothing is lost and nothing comes twice.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence

import structlog
from google.protobuf.message import DecodeError
from nats.aio.msg import Msg
from nats.js import api

from lab.bus.bus import LOST, Bus, Connection
from lab.errors import Unavailable
from lab.v1.event_pb2 import Event

HEARTBEAT_SECS = 1.0
SILENCE_SECS = 2.5  # two heartbeats missed
RETRY_SECS = 0.2
FORGOTTEN_AFTER_SECS = 30.0  # the server drops the consumer of a reader that went away
REMEMBERED_EVENTS = 4_096

_CONTROL = "100"  # status of heartbeats and flow control

log = structlog.get_logger()


class HistoryLost(Exception):
    """What follows the reader's place is gone: take a snapshot and begin at a new position."""


async def tail(
    bus: Bus,
    stream: str,
    subjects: Sequence[str],
    *,
    start_sequence: int,
    epoch: str | None = None,
) -> AsyncGenerator[tuple[int, Event], None]:
    """(stream sequence, event) for ever, from `start_sequence` on.

    `epoch` is the life of the stream that the place belongs to; without it the first one met is
    taken. Raises HistoryLost when the stream begins after the place, or is another one.
    """
    reader = _Tail(bus, stream, subjects, start_sequence=start_sequence, epoch=epoch)
    while True:
        connection = await bus.connection()
        try:
            async with contextlib.aclosing(reader.read(connection)) as items:
                async for item in items:
                    yield item
        except (*LOST, Unavailable) as error:
            log.info("tail broken off", stream=stream, error=str(error) or type(error).__name__)
        await asyncio.sleep(RETRY_SECS)


class _Tail:
    def __init__(
        self,
        bus: Bus,
        stream: str,
        subjects: Sequence[str],
        *,
        start_sequence: int,
        epoch: str | None,
    ) -> None:
        self._bus = bus
        self._stream = stream
        self._subjects = list(subjects)
        self._next = max(1, start_sequence)
        self._epoch = epoch
        self._recent: OrderedDict[tuple[str, int], None] = OrderedDict()

    async def read(self, connection: Connection) -> AsyncGenerator[tuple[int, Event], None]:
        """Until something is wrong with the connection or the consumer."""
        await self._check_history()
        messages: asyncio.Queue[Msg | None] = asyncio.Queue()

        async def received(message: Msg) -> None:
            messages.put_nowait(message)

        inbox = connection.client.new_inbox()
        subscription = await connection.client.subscribe(inbox, cb=received)
        waker = asyncio.create_task(_wake(connection, messages))
        try:
            await connection.jetstream.add_consumer(self._stream, self._consumer(inbox))
            delivered = 0
            while True:
                message = await self._next_message(messages)
                if message is None:
                    return
                if _status(message) == _CONTROL:
                    if message.reply:
                        await message.respond(b"")  # flow control: everything before is consumed
                    elif _last_delivered(message) != delivered:
                        return
                    continue
                place = message.metadata.sequence
                if place.consumer != delivered + 1:
                    return
                delivered += 1
                self._next = place.stream + 1
                event = self._event(message, place.stream)
                if event is not None:
                    yield place.stream, event
        finally:
            waker.cancel()
            with contextlib.suppress(*LOST):
                await subscription.unsubscribe()

    async def _next_message(self, messages: "asyncio.Queue[Msg | None]") -> Msg | None:
        """The next message; None when the connection closed or the consumer fell silent."""
        if not messages.empty():
            return messages.get_nowait()
        try:
            # Not wait_for: in Python 3.11 it can swallow a cancellation.
            async with asyncio.timeout(SILENCE_SECS):
                return await messages.get()
        except TimeoutError:
            log.info("consumer fell silent", stream=self._stream)
            return None

    async def _check_history(self) -> None:
        position = await self._bus.position(self._stream)
        if self._epoch is None:
            self._epoch = position.epoch
        if position.epoch != self._epoch or self._next > position.last_sequence + 1:
            raise HistoryLost(f"the stream {self._stream} is not the one that was read before")
        if self._next < position.first_sequence <= position.last_sequence and self._next > 1:
            raise HistoryLost(
                f"the stream {self._stream} now begins at {position.first_sequence}, "
                f"after {self._next}"
            )

    def _consumer(self, inbox: str) -> api.ConsumerConfig:
        return api.ConsumerConfig(
            deliver_subject=inbox,
            deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=self._next,
            ack_policy=api.AckPolicy.NONE,
            max_deliver=1,
            filter_subjects=self._subjects,
            flow_control=True,
            idle_heartbeat=HEARTBEAT_SECS,
            inactive_threshold=FORGOTTEN_AFTER_SECS,
            mem_storage=True,
            num_replicas=1,
        )

    def _event(self, message: Msg, sequence: int) -> Event | None:
        """The event; None for one that cannot be read or was handed out before.

        The server's own duplicate window is short; a journal that publishes again after a long
        outage gets past it.
        """
        try:
            event = Event.FromString(message.data)
        except DecodeError:
            log.error("message skipped: not an Event", stream=self._stream, sequence=sequence)
            return None
        identity = (event.run, event.sequence)
        if identity in self._recent:
            return None
        self._recent[identity] = None
        if len(self._recent) > REMEMBERED_EVENTS:
            self._recent.popitem(last=False)
        return event


async def _wake(connection: Connection, messages: "asyncio.Queue[Msg | None]") -> None:
    """A lost connection ends the reading at once, after what had already arrived."""
    await connection.closed.wait()
    messages.put_nowait(None)


def _status(message: Msg) -> str | None:
    return message.headers.get(api.Header.STATUS) if message.headers else None


def _last_delivered(heartbeat: Msg) -> int:
    assert heartbeat.headers is not None
    return int(heartbeat.headers.get(api.Header.LAST_CONSUMER, "0"))
