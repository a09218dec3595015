"""Hears that saved checkpoints changed. Nobody keeps that news, so after a time without NATS
everything counts as changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import nats.errors
import structlog
from nats.aio.msg import Msg

from lab.bus import Bus
from lab.bus.subjects import topic

PAUSE_SECS = 1.0

log = structlog.get_logger()


async def hear_changes(bus: Bus, changed: Callable[[], None]) -> None:
    """Over every connection there will be. A background task."""

    async def heard(_: Msg) -> None:
        changed()

    while True:
        connection = await bus.connection()
        try:
            await connection.client.subscribe(topic("shelf"), cb=heard)
            changed()
            await connection.closed.wait()
        except (nats.errors.Error, OSError) as error:
            log.info("changes of checkpoints not heard", error=str(error))
            await asyncio.sleep(PAUSE_SECS)
