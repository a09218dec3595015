"""A service joins the bus: its readiness follows the connection, and it tells that it is alive."""

import asyncio
import time

import psutil
import structlog

import lab
from lab.bus import Bus
from lab.errors import Unavailable
from lab.service.run import Service
from lab.v1 import event_pb2
from lab.v1.event_pb2 import Event, ServiceBeat

BEAT_SECS = 2.0

log = structlog.get_logger()


async def join_bus(service: Service, url: str, *, needed: bool = True) -> Bus:
    """Connects in the background and starts the beat. A `needed` bus holds up readiness."""
    readiness = service.readiness
    if needed:
        readiness.needs("nats", url)
    bus = Bus(
        url,
        name=service.name,
        on_connected=lambda: readiness.met("nats"),
        on_lost=lambda: readiness.lost("nats", url) if needed else None,
    )
    await service.enter(bus)
    service.tasks.start("beat", _beat(service, bus))
    return bus


async def _beat(service: Service, bus: Bus) -> None:
    process, began = psutil.Process(), time.monotonic()
    while True:
        ready = service.readiness.ready
        beat = ServiceBeat(
            service=service.name,
            state=event_pb2.SERVICE_STATE_READY if ready else event_pb2.SERVICE_STATE_WAITING,
            waiting_for=service.readiness.waiting_for,
            version=lab.__version__,
            memory_bytes=process.memory_info().rss,
            uptime_secs=time.monotonic() - began,
        )
        event = Event(producer=service.name, service_beat=beat)
        event.time.GetCurrentTime()
        try:
            await bus.say(event)
        except Unavailable:
            log.debug("no beat: not connected")
        await asyncio.sleep(BEAT_SECS)
