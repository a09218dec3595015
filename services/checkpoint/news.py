"""Tells who listens that a checkpoint changed after it was saved. Only news: the disk is the truth,
so what is said while NATS is away is lost, and whoever connects again asks."""

from __future__ import annotations

import structlog

from lab.bus import Bus
from lab.errors import Unavailable
from lab.v1.event_pb2 import CheckpointChanged, Event

log = structlog.get_logger()


class News:
    """Never holds up or fails what it tells about."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def tell(self, name: str) -> None:
        event = Event(producer="checkpoint", checkpoint_changed=CheckpointChanged(checkpoint=name))
        event.time.GetCurrentTime()
        try:
            await self._bus.say(event)
        except Unavailable:
            log.debug("not told: not connected", checkpoint=name)
