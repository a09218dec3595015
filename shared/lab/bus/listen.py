"""Hears what is only said, over every connection there will be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from google.protobuf.message import DecodeError
from nats.aio.msg import Msg

from lab.bus.bus import LOST, Bus
from lab.v1.event_pb2 import Event

PAUSE_SECS = 1.0

log = structlog.get_logger()


async def listen(
    bus: Bus,
    subject: str,
    *,
    heard: Callable[[Event], None],
    joined: Callable[[], None],
) -> None:
    """A background task. `joined` is called when it begins to hear, at first and after each loss:
    what was said before is not known then."""

    async def received(message: Msg) -> None:
        try:
            event = Event.FromString(message.data)
        except DecodeError:
            log.error("message skipped: not an Event", subject=message.subject)
            return
        heard(event)

    while True:
        connection = await bus.connection()
        try:
            await connection.client.subscribe(subject, cb=received)
            await connection.client.flush()
            joined()
            await connection.closed.wait()
        except LOST as error:
            log.info("not heard", subject=subject, error=str(error))
            await asyncio.sleep(PAUSE_SECS)
