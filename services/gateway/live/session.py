"""One connection: a reader that obeys the client, a writer that sends what its outbox holds."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from typing import Any

import structlog
from google.protobuf.timestamp_pb2 import Timestamp
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from lab.errors import LabError
from lab.names import new_id
from lab.v1.live_pb2 import (
    ClientFrame,
    CloseCode,
    Heartbeat,
    Hello,
    ServerFrame,
    ServerMessage,
    Welcome,
)
from services.gateway.api.problems import malformed, problem_of
from services.gateway.live.flow import MESSAGE_BURST, MESSAGES_PER_SEC, Window
from services.gateway.live.following import MAX_SUBSCRIPTIONS, Following
from services.gateway.live.frames import BadFrame, Codec
from services.gateway.live.hub import Hub
from services.gateway.live.outbox import Outbox
from services.gateway.pace import Pace

PROTOCOL = 1
BAD_FRAMES = 3

log = structlog.get_logger()


@dataclass(frozen=True)
class Times:
    """What a session waits for."""

    flush_secs: float = 0.033  # one frame at 30 Hz
    heartbeat_secs: float = 10.0
    stall_secs: float = 30.0  # without an acknowledgement, with more than the window sent


class Closed(Exception):
    """The session ends with this code and reason."""

    def __init__(self, code: CloseCode.ValueType | int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = int(code), reason


class Session:
    """From the accepted handshake to the close."""

    def __init__(self, websocket: WebSocket, codec: Codec, hub: Hub, times: Times) -> None:
        self.name = new_id("s")
        self._times = times
        self._websocket, self._codec = websocket, codec
        self._outbox = Outbox()
        self._window = Window()
        self._following = Following(
            hub, self._outbox, flowing=self._flowing, too_slow=self._too_slow, refuse=self._refuse
        )
        self._greeted = False
        self._bad_frames = 0
        self._ending: asyncio.Future[Closed] = asyncio.get_running_loop().create_future()

    async def run(self) -> int:
        """Serves the connection; answers the close code it ended with."""
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._write())]
        try:
            ends: set[asyncio.Future[Any]] = {self._ending, self._following.failed, *tasks}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            closed = self._why(tasks)
        finally:
            tasks += self._following.tasks()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._close(closed)
        return closed.code

    def end(self, code: CloseCode.ValueType, reason: str) -> None:
        if not self._ending.done():
            self._ending.set_result(Closed(code, reason))

    def _why(self, tasks: list[asyncio.Task[None]]) -> Closed:
        if self._ending.done():
            return self._ending.result()
        for task in tasks:
            if task.done() and (error := task.exception()):
                if isinstance(error, Closed):
                    return error
                if isinstance(error, WebSocketDisconnect):
                    return Closed(error.code, "the client went away")
                log.error("session failed", session=self.name, exc_info=error)
        return Closed(1011, "the gateway made a mistake; its log has the details")

    async def _close(self, closed: Closed) -> None:
        if self._websocket.application_state is WebSocketState.CONNECTED:
            try:
                await self._websocket.close(closed.code, closed.reason[:120])
            except (RuntimeError, WebSocketDisconnect, OSError):
                log.debug("gone before the close", session=self.name)

    # Reading

    async def _read(self) -> None:
        pace = Pace(per_sec=MESSAGES_PER_SEC, burst=MESSAGE_BURST)
        while True:
            received = await self._websocket.receive()
            if received["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(received.get("code") or 1005)
            if not pace.allows():
                raise Closed(
                    CloseCode.CLOSE_CODE_TOO_MANY,
                    f"more than {MESSAGES_PER_SEC:.0f} messages a second",
                )
            try:
                self._obey(self._codec.decode(received))
            except BadFrame as bad:
                self._count_bad(str(bad))

    def _obey(self, frame: ClientFrame) -> None:
        what = frame.WhichOneof("message")
        if what == "hello":
            self._greet(frame.id, frame.hello)
        elif not self._greeted:
            raise BadFrame("the first message must be hello")
        elif what == "subscribe":
            if not self._following.begin(frame.id, frame.subscribe):
                why = f"more than {MAX_SUBSCRIPTIONS} subscriptions"
                raise Closed(CloseCode.CLOSE_CODE_TOO_MANY, why)
        elif what == "unsubscribe":
            self._following.end(frame.id, frame.unsubscribe.channel)
        elif what == "ack":
            self._window.acknowledge(frame.ack.frame)

    def _count_bad(self, why: str) -> None:
        self._bad_frames += 1
        if self._bad_frames >= BAD_FRAMES:
            raise Closed(CloseCode.CLOSE_CODE_BAD_FRAME, why)
        self._refuse(0, malformed(why))

    def _greet(self, reply_to: int, hello: Hello) -> None:
        if hello.protocol != PROTOCOL:
            raise Closed(
                CloseCode.CLOSE_CODE_PROTOCOL_MISMATCH,
                f"this gateway speaks protocol {PROTOCOL}; reload the page",
            )
        self._greeted = True
        log.info("live session", session=self.name, client=hello.client[:60])
        welcome = Welcome(
            session=self.name,
            protocol=PROTOCOL,
            heartbeat_secs=math.ceil(self._times.heartbeat_secs),
            server_time=_now(),
        )
        self._outbox.say(ServerMessage(reply_to=reply_to, welcome=welcome))

    def _refuse(self, reply_to: int, error: LabError) -> None:
        problem = problem_of(error, instance="/api/live", request_id=self.name)
        self._outbox.say(ServerMessage(reply_to=reply_to, problem=problem))

    def _too_slow(self) -> None:
        self.end(CloseCode.CLOSE_CODE_SLOW, "the client reads too slowly; reconnect to recover")

    async def _flowing(self) -> None:
        await self._window.open.wait()

    # Writing. Not with asyncio.wait_for: in Python 3.11 it can swallow a cancellation.

    async def _write(self) -> None:
        flushed_at = 0.0
        while True:
            try:
                async with asyncio.timeout(self._times.heartbeat_secs):
                    await self._outbox.dirty.wait()
            except TimeoutError:
                heartbeat = ServerMessage(heartbeat=Heartbeat(server_time=_now()))
                await self._send(ServerFrame(messages=[heartbeat]))
                continue
            await asyncio.sleep(max(0.0, flushed_at + self._times.flush_secs - time.monotonic()))
            await self._wait_for_window()
            if self._outbox.over:
                self._too_slow()
            flushed_at = time.monotonic()
            for messages in self._outbox.take():
                await self._wait_for_window()
                await self._send(self._window.numbered(messages))

    async def _wait_for_window(self) -> None:
        if self._window.open.is_set():  # nearly always: no timer for it, a thousand times a second
            return
        stall_secs = self._times.stall_secs
        try:
            async with asyncio.timeout(stall_secs):
                await self._window.open.wait()
        except TimeoutError:
            why = f"nothing acknowledged for {stall_secs:.0f} s"
            raise Closed(CloseCode.CLOSE_CODE_SLOW, why) from None

    async def _send(self, frame: ServerFrame) -> None:
        message: Message = self._codec.encode(frame)
        try:
            await self._websocket.send(message)
        except (RuntimeError, OSError) as error:
            raise WebSocketDisconnect(1006) from error


def _now() -> Timestamp:
    now = Timestamp()
    now.GetCurrentTime()
    return now
