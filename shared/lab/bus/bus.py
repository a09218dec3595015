"""The connection to NATS: made in the background, made again for ever, ready when streams are.

Each connection is a new client, on purpose: nats-py's own reconnect would send what it had buffered
before what was lost with the old socket, and facts would change places.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import nats.errors
import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from lab.bus.streams import ensure_streams
from lab.bus.subjects import subject_of
from lab.errors import Unavailable
from lab.v1.event_pb2 import Event

CONNECT_TIMEOUT_SECS = 2
REQUEST_TIMEOUT_SECS = 5.0
FIRST_PAUSE_SECS, LONGEST_PAUSE_SECS = 0.05, 1.0
CANCEL_AGAIN_SECS = 0.1
PING_SECS = 5  # two unanswered pings and the connection counts as lost

# What a call on a connection that is going away may raise.
LOST = (nats.errors.Error, OSError, EOFError, asyncio.TimeoutError)

log = structlog.get_logger()


@dataclass(frozen=True)
class Position:
    """A place in a stream. An epoch names one life of the stream: sequences compare only within."""

    epoch: str
    last_sequence: int
    first_sequence: int


class Connection:
    """One connection, from connect to loss."""

    def __init__(self, client: Client, closed: asyncio.Event) -> None:
        self.client = client
        self.jetstream: JetStreamContext = client.jetstream(timeout=REQUEST_TIMEOUT_SECS)
        self.closed = closed


class Bus:
    """`async with Bus(url, name="trainer") as bus`: entering does not wait for the server."""

    def __init__(
        self,
        url: str,
        *,
        name: str,
        on_connected: Callable[[], None] = lambda: None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self.url = url
        self._name = name
        self._on_connected, self._on_lost = on_connected, on_lost
        self._connection: Connection | None = None
        self._arrived = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._keeping = asyncio.create_task(self._keep_connected(), name=f"nats {self.url}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._keeping is not None
        while not self._keeping.done():
            self._keeping.cancel()  # again and again: nats-py may swallow one while it connects
            await asyncio.wait({self._keeping}, timeout=CANCEL_AGAIN_SECS)

    @property
    def connected(self) -> bool:
        return self._connection is not None

    async def connection(self) -> Connection:
        """The present connection; waits for one for as long as it takes."""
        while self._connection is None:
            await self._arrived.wait()
        return self._connection

    def now(self) -> Connection:
        """The present connection; raises Unavailable when there is none."""
        if self._connection is None:
            raise Unavailable(
                f"NATS at {self.url} does not answer; live events wait until it is back",
                metadata={"service": "nats"},
            )
        return self._connection

    async def position(self, stream: str) -> Position:
        """Where the stream ends now. Raises Unavailable."""
        connection = self.now()
        try:
            info = await connection.jetstream.stream_info(stream)
        except NotFoundError as error:
            raise Unavailable(f"the stream {stream} is not there yet") from error
        except LOST as error:
            raise Unavailable(f"NATS at {self.url} did not answer") from error
        assert info.created is not None
        return Position(
            epoch=str(int(info.created.timestamp() * 1e6)),
            last_sequence=info.state.last_seq,
            first_sequence=info.state.first_seq,
        )

    async def say(self, event: Event) -> None:
        """Publishes over core NATS: whoever listens now hears it, nothing keeps it."""
        connection = self.now()
        try:
            await connection.client.publish(subject_of(event), event.SerializeToString())
        except LOST as error:
            raise Unavailable(f"NATS at {self.url} went away") from error

    async def _keep_connected(self) -> None:
        pause_secs = FIRST_PAUSE_SECS
        while True:
            connection = await self._connect()
            if connection is None:
                await asyncio.sleep(pause_secs)
                pause_secs = min(2 * pause_secs, LONGEST_PAUSE_SECS)
                continue
            pause_secs = FIRST_PAUSE_SECS
            try:
                self._connection = connection
                self._arrived.set()
                log.info("nats connected", url=self.url)
                self._on_connected()
                await connection.closed.wait()
                log.warning("nats lost", url=self.url)
            finally:
                self._connection = None
                self._arrived.clear()
                connection.closed.set()  # wakes readers and publishers when the bus is left
                await _close(connection.client)
            self._on_lost()

    async def _connect(self) -> Connection | None:
        """A connection whose streams are in place, or None."""
        client, closed = Client(), asyncio.Event()

        async def set_closed() -> None:
            closed.set()

        async def quiet(error: Exception) -> None:
            log.debug("nats", error=str(error))

        try:
            await client.connect(
                self.url,
                name=self._name,
                allow_reconnect=False,
                reconnect_time_wait=0,  # how long to wait between attempts is decided here,
                max_reconnect_attempts=1,  # so the client may not try on its own
                connect_timeout=CONNECT_TIMEOUT_SECS,
                ping_interval=PING_SECS,
                closed_cb=set_closed,
                error_cb=quiet,
            )
            connection = Connection(client, closed)
            await ensure_streams(connection.jetstream)
        except LOST as error:
            log.debug("nats not ready", url=self.url, error=str(error))
            await _close(client)
            return None
        except BaseException:
            await _close(client)
            raise
        return connection


async def _close(client: Client) -> None:
    with contextlib.suppress(*LOST):
        await client.close()
