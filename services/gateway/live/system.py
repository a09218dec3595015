"""Which services are alive: their last beats, and the channel that tells."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from lab.bus import Bus, listen
from lab.bus.subjects import topic
from lab.service.beat import BEAT_SECS, Pulse
from lab.service.readiness import Readiness
from lab.v1 import event_pb2
from lab.v1.event_pb2 import Event, ServiceBeat
from lab.v1.live_pb2 import EventList, Publication, Snapshot, StreamPosition
from services.gateway.live.channels import State
from services.gateway.live.feeds import PROCESS_EPOCH, Follower
from services.gateway.live.outbox import Item, Policy

LOST_AFTER_SECS = 4 * BEAT_SECS
LOOK_SECS = 1.0
OWN_NAME = "gateway"


@dataclass
class _Seen:
    event: Event
    heard_at: float


class ServicesSeen:
    """The feed of `system`. Its positions are of this process; it keeps no history."""

    policy = Policy.LATEST

    def __init__(
        self, bus: Bus, readiness: Readiness, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._bus, self._clock = bus, clock
        self._seen: dict[str, _Seen] = {}
        self._followers: set[Follower] = set()
        self._offset = 0
        self._pulse = Pulse(OWN_NAME, readiness)
        readiness.watch(lambda _: self.beat())  # told at once, not with the next beat

    def beats(self) -> list[ServiceBeat]:
        return [event.service_beat for event in self._events()]

    async def listen(self) -> None:
        """Hears the others' beats. A background task."""
        await listen(self._bus, topic("beat"), heard=self._heard, joined=self.beat)

    async def look(self) -> None:
        """Tells the gateway's own state, and who has not been heard of. A background task."""
        next_beat = 0.0
        while True:
            if self._clock() >= next_beat:
                self.beat()
                next_beat = self._clock() + BEAT_SECS
            self.find_lost()
            await asyncio.sleep(LOOK_SECS)

    def beat(self) -> None:
        """The gateway's own beat does not go by NATS: it is there when NATS is not."""
        self.hear(self._pulse.beat())

    def hear(self, event: Event) -> None:
        self._seen[event.service_beat.service] = _Seen(event, self._clock())
        self._tell(event)

    def find_lost(self) -> None:
        for seen in list(self._seen.values()):
            beat = seen.event.service_beat
            silent = self._clock() - seen.heard_at > LOST_AFTER_SECS
            if silent and beat.state != event_pb2.SERVICE_STATE_LOST:
                lost = ServiceBeat()
                lost.CopyFrom(beat)
                lost.state = event_pb2.SERVICE_STATE_LOST
                del lost.waiting_for[:]
                seen.event = _event(lost)
                self._tell(seen.event)

    async def position(self) -> StreamPosition:
        return StreamPosition(epoch=PROCESS_EPOCH, offset=self._offset)

    async def can_recover(self, since: StreamPosition) -> bool:
        return since.epoch == PROCESS_EPOCH and since.offset == self._offset

    async def state(self, max_points: int) -> tuple[StreamPosition, State]:
        return await self.position(), State(Snapshot(events=EventList(events=self._events())))

    async def ready(self) -> None:
        return

    def attach(self, follower: Follower, *, after: StreamPosition) -> None:
        self._followers.add(follower)
        if after.offset < self._offset:  # something was said since the snapshot
            for event in self._events():
                follower.offer(self._item(event))

    def detach(self, follower: Follower) -> None:
        self._followers.discard(follower)

    def release(self) -> None:
        return

    def _events(self) -> list[Event]:
        return [self._seen[name].event for name in sorted(self._seen)]

    def _tell(self, event: Event) -> None:
        self._offset += 1
        item = self._item(event)
        for follower in list(self._followers):
            follower.offer(item)

    def _item(self, event: Event) -> Item:
        publication = Publication(offset=self._offset, event=event)
        return Item.of(publication, key=event.service_beat.service)

    def _heard(self, event: Event) -> None:
        if event.WhichOneof("fact") == "service_beat" and event.service_beat.service != OWN_NAME:
            self.hear(event)


def _event(beat: ServiceBeat) -> Event:
    event = Event(producer=OWN_NAME, service_beat=beat)
    event.time.GetCurrentTime()
    return event
