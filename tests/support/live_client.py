"""A small client of the live socket, for tests and benchmarks: frames in, frames out, acks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from lab.v1.error_pb2 import Problem
from lab.v1.event_pb2 import Event
from lab.v1.live_pb2 import (
    Ack,
    ClientFrame,
    Hello,
    Publication,
    ServerFrame,
    ServerMessage,
    Snapshot,
    StreamPosition,
    Subscribe,
    Subscribed,
    Unsubscribe,
)
from tests.support.waiting import until

BINARY = "lab.v1"


class Refused(Exception):
    """The gateway answered a request with a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class Gone(Exception):
    """The connection ended before the answer came."""


@dataclass
class ChannelLog:
    """Everything that came on one channel, in order."""

    name: str
    messages: list[ServerMessage] = field(default_factory=list)
    position: StreamPosition = field(default_factory=StreamPosition)

    @property
    def publications(self) -> list[Publication]:
        return [each.publication for each in self.messages if each.HasField("publication")]

    @property
    def snapshots(self) -> list[Snapshot]:
        return [each.snapshot for each in self.messages if each.HasField("snapshot")]

    @property
    def sequences(self) -> list[int]:
        """Of the events that were published, as the producer numbered them."""
        return [each.event.sequence for each in self.publications]

    @property
    def dropped(self) -> int:
        return sum(each.conflated.dropped for each in self.messages if each.HasField("conflated"))

    def take(self, message: ServerMessage) -> None:
        self.messages.append(message)
        if message.HasField("snapshot"):
            self.position.CopyFrom(message.snapshot.position)
        elif message.HasField("publication"):
            self.position.offset = message.publication.offset


def steps_held(log: ChannelLog) -> list[int]:
    """What a chart would show: the newest snapshot, then the publications after it."""
    held: list[int] = []
    for message in log.messages:
        if message.HasField("snapshot"):
            held = list(message.snapshot.series.series[0].steps)
        elif message.HasField("publication"):
            held.append(message.publication.event.step_measured.step)
    return held


class LiveClient:
    """`async with LiveClient(url) as client` says hello and reads until the end."""

    def __init__(
        self,
        url: str,
        *,
        acknowledge: bool = True,
        frames_per_ack: int = 1,
        origin: str | None = None,
        hello: bool = True,
        subprotocols: Sequence[str] = (BINARY,),
        headers: dict[str, str] | None = None,
        heard: Callable[[Event], None] = lambda _: None,
    ) -> None:
        """`heard` is told every event at the moment it is parsed. The dashboard acknowledges 8
        frames at once."""
        self._url, self._origin, self._hello = url, origin, hello
        self._subprotocols = [Subprotocol(each) for each in subprotocols]
        self._headers = headers
        self._heard = heard
        self.acknowledge, self._frames_per_ack = acknowledge, frames_per_ack
        self.channels: dict[str, ChannelLog] = {}
        self.general: list[ServerMessage] = []
        self.frames: list[ServerFrame] = []
        self._by_id: dict[int, ChannelLog] = {}
        self._answers: dict[int, asyncio.Future[ServerMessage]] = {}
        self._next_id = 1
        self._reading: asyncio.Task[None] | None = None
        self.connection: ClientConnection | None = None

    async def __aenter__(self) -> LiveClient:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        self.connection = await connect(
            self._url,
            subprotocols=self._subprotocols or None,
            origin=self._origin,  # type: ignore[arg-type]
            additional_headers=self._headers,
            compression=None,
            max_size=None,
            proxy=None,
        )
        self._reading = asyncio.create_task(self._read())
        if self._hello:
            await self.ask(ClientFrame(hello=Hello(protocol=1, client="test")))

    async def close(self) -> None:
        if self.connection is not None:
            await self.connection.close()
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading

    def stop_reading(self) -> None:
        """From now on the other side writes into a full pipe."""
        assert self.connection is not None
        self.connection.transport.pause_reading()

    async def closed(self, *, secs: float = 10.0) -> int:
        """Waits for the other side to close; the code."""
        assert self.connection is not None
        await asyncio.wait_for(self.connection.wait_closed(), secs)
        return self.connection.close_code or 0

    async def ask(self, frame: ClientFrame) -> ServerMessage:
        """Sends a frame and waits for its answer. Raises Refused or Gone."""
        if self._reading is None or self._reading.done():
            raise Gone
        frame.id = self._next_id
        self._next_id += 1
        answer: asyncio.Future[ServerMessage] = asyncio.get_running_loop().create_future()
        self._answers[frame.id] = answer
        await self.send(frame)
        message = await asyncio.wait_for(answer, 10)
        if message.HasField("problem"):
            raise Refused(message.problem)
        return message

    async def send(self, frame: ClientFrame) -> None:
        assert self.connection is not None
        await self.connection.send(frame.SerializeToString())

    async def subscribe(
        self, channel: str, *, since: StreamPosition | None = None, max_points: int = 0
    ) -> Subscribed:
        asked = Subscribe(channel=channel, since=since, max_points=max_points)
        return (await self.ask(ClientFrame(subscribe=asked))).subscribed

    async def unsubscribe(self, channel: str) -> None:
        await self.ask(ClientFrame(unsubscribe=Unsubscribe(channel=channel)))

    async def published(self, channel: str, count: int, *, secs: float = 10.0) -> ChannelLog:
        """Waits until so many publications have come on the channel."""
        log = self.channels[channel]
        await until(
            lambda: len(log.publications) >= count,
            secs=secs,
            what=f"{count} publications on {channel}",
        )
        return log

    async def _read(self) -> None:
        assert self.connection is not None
        try:
            async for data in self.connection:
                assert isinstance(data, bytes)
                frame = ServerFrame.FromString(data)
                self.frames.append(frame)
                for message in frame.messages:
                    self._take(message)
                due = frame.frame and frame.frame % self._frames_per_ack == 0
                if due and self.acknowledge:
                    await self.send(ClientFrame(id=0, ack=Ack(frame=frame.frame)))
        except websockets.ConnectionClosed:
            return
        finally:
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(Gone())

    def _take(self, message: ServerMessage) -> None:
        if message.HasField("subscribed"):
            said = message.subscribed
            log = self.channels.setdefault(said.channel, ChannelLog(said.channel))
            log.position.CopyFrom(said.position)
            self._by_id[said.channel_id] = log
        if message.HasField("publication"):
            self._heard(message.publication.event)
        if message.channel_id in self._by_id:
            self._by_id[message.channel_id].take(message)
        else:
            self.general.append(message)
        answer = self._answers.pop(message.reply_to, None)
        if answer is not None and not answer.done():
            answer.set_result(message)
