"""A service joins the bus: its readiness follows the connection, and it tells that it is alive."""

import asyncio
import time

import psutil
import structlog

import lab
from lab.bus import Bus
from lab.errors import Unavailable
from lab.service.readiness import Readiness
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


class Pulse:
    """What a process says of itself."""

    def __init__(self, service: str, readiness: Readiness) -> None:
        self._service, self._readiness = service, readiness
        self._process, self._began = psutil.Process(), time.monotonic()

    def beat(self) -> Event:
        """As it is now."""
        ready = self._readiness.ready
        beat = ServiceBeat(
            service=self._service,
            state=event_pb2.SERVICE_STATE_READY if ready else event_pb2.SERVICE_STATE_WAITING,
            waiting_for=self._readiness.waiting_for,
            version=lab.__version__,
            memory_bytes=self._process.memory_info().rss,
            uptime_secs=time.monotonic() - self._began,
        )
        event = Event(producer=self._service, service_beat=beat)
        event.time.GetCurrentTime()
        return event


async def _beat(service: Service, bus: Bus) -> None:
    pulse = Pulse(service.name, service.readiness)
    while True:
        try:
            await bus.say(pulse.beat())
        except Unavailable:
            log.debug("no beat: not connected")
        await asyncio.sleep(BEAT_SECS)
