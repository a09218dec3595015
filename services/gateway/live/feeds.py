"""Where a channel's publications come from: one feed per channel in use, shared by its followers.

A BusFeed reads its stream once, however many follow, and keeps the newest events, so that a
follower that joins at an older position is served without asking NATS again. A TextFeed gives what
the gateway itself remembers of a generation.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import structlog

from lab.bus import Bus, HistoryLost, tail
from lab.names import new_id
from lab.v1.live_pb2 import Publication, Snapshot, StreamPosition
from services.gateway.generations import Text
from services.gateway.live.channels import Channel, State
from services.gateway.live.outbox import Item, Policy

# More than this missed and a snapshot is cheaper for both sides.
MAX_RECOVERED = 2_000
MAX_KEPT_ITEMS = 2_000
MAX_KEPT_BYTES = 2 << 20
# Names this life of the gateway: positions in its own memory mean nothing to the next one.
PROCESS_EPOCH = new_id("e")

Start = Callable[[str, Coroutine[Any, Any, None]], asyncio.Task[None]]

log = structlog.get_logger()


class Follower(Protocol):
    """One session's interest in one channel."""

    def offer(self, item: Item) -> None:
        """The next publication; those it has seen already are its own business to drop."""

    def lose_track(self) -> None:
        """What follows cannot be told: take a snapshot and attach again."""


class Feed(Protocol):
    """The source of one channel."""

    policy: Policy

    async def position(self) -> StreamPosition:
        """Where the history stands now. Raises Unavailable."""

    async def can_recover(self, since: StreamPosition) -> bool:
        """Whether everything after `since` can be told, and is little enough."""

    async def state(self, max_points: int) -> tuple[StreamPosition, State]:
        """A position, and a state that includes everything up to it, and perhaps more."""

    async def ready(self) -> None:
        """Waits until positions can be had."""

    def attach(self, follower: Follower, *, after: StreamPosition) -> None:
        """Tells the follower everything after the position, then what happens."""

    def detach(self, follower: Follower) -> None:
        """Tells the follower nothing more."""

    def release(self) -> None:
        """Said once by everybody the hub gave the feed to, when done with it."""


class BusFeed:
    """A channel whose events are in a JetStream stream."""

    def __init__(
        self, bus: Bus, channel: Channel, *, start: Start, unused: Callable[[], None]
    ) -> None:
        self.policy = channel.policy
        self._bus, self._channel = bus, channel
        self._start, self._unused = start, unused
        self.held = 0
        self.followers: set[Follower] = set()
        self._tail: asyncio.Task[None] | None = None
        self._epoch = ""
        self._floor = 0  # everything after this offset was kept or is still to come
        self._kept: deque[Item] = deque()
        self._kept_bytes = 0

    async def position(self) -> StreamPosition:
        place = await self._bus.position(self._channel.stream)
        return StreamPosition(epoch=place.epoch, offset=place.last_sequence)

    async def can_recover(self, since: StreamPosition) -> bool:
        place = await self._bus.position(self._channel.stream)
        return (
            since.epoch == place.epoch
            and since.offset <= place.last_sequence
            # An empty stream begins one after its end.
            and place.first_sequence <= since.offset + 1
            and place.last_sequence - since.offset <= MAX_RECOVERED
        )

    async def state(self, max_points: int) -> tuple[StreamPosition, State]:
        position = await self.position() if self._bus.connected else StreamPosition()
        return position, await self._channel.state(max_points)

    async def ready(self) -> None:
        await self._bus.connection()

    def attach(self, follower: Follower, *, after: StreamPosition) -> None:
        self.followers.add(follower)
        if after.epoch != self._epoch:
            for other in self.followers - {follower}:
                other.lose_track()
            self._read_from(after)
        elif self._tail is None or after.offset < self._floor:
            # Other followers will see some of it again, and know it by its offset.
            self._read_from(after)
        else:
            for item in list(self._kept):
                if item.publication.offset > after.offset:
                    follower.offer(item)

    def detach(self, follower: Follower) -> None:
        self.followers.discard(follower)
        if not self.followers:
            self._stop()

    def release(self) -> None:
        self.held -= 1
        if not self.held:
            self._unused()

    def lose_track(self) -> None:
        for follower in list(self.followers):
            follower.lose_track()

    def _read_from(self, after: StreamPosition) -> None:
        self._stop()
        self._epoch, self._floor = after.epoch, after.offset
        self._tail = self._start(f"tail of {self._channel.name}", self._follow(after))

    def _stop(self) -> None:
        if self._tail is not None:
            self._tail.cancel()
            self._tail = None
        self._kept.clear()
        self._kept_bytes = 0

    async def _follow(self, after: StreamPosition) -> None:
        channel = self._channel
        events = tail(
            self._bus,
            channel.stream,
            channel.subjects,
            start_sequence=after.offset + 1,
            epoch=after.epoch,
        )
        try:
            async with contextlib.aclosing(events):
                async for sequence, event in events:
                    if self._tail is not asyncio.current_task():
                        return  # another tail has taken over
                    item = Item.of(Publication(offset=sequence, event=event))
                    self._keep(item)
                    for follower in list(self.followers):
                        follower.offer(item)
        except HistoryLost as lost:
            if self._tail is not asyncio.current_task():
                return
            log.warning("history lost", channel=channel.name, why=str(lost))
            self._tail, self._epoch = None, ""
            self.lose_track()

    def _keep(self, item: Item) -> None:
        self._kept.append(item)
        self._kept_bytes += item.size_bytes
        while len(self._kept) > MAX_KEPT_ITEMS or self._kept_bytes > MAX_KEPT_BYTES:
            oldest = self._kept.popleft()
            self._kept_bytes -= oldest.size_bytes
            self._floor = oldest.publication.offset


class TextFeed:
    """A generation: everything of it is in memory."""

    policy = Policy.ALL

    def __init__(self, text: Text) -> None:
        self._text = text
        self._watchers: dict[Follower, Callable[[Publication], None]] = {}

    async def position(self) -> StreamPosition:
        return StreamPosition(epoch=PROCESS_EPOCH, offset=self._text.last_offset)

    async def can_recover(self, since: StreamPosition) -> bool:
        return since.epoch == PROCESS_EPOCH and since.offset <= self._text.last_offset

    async def state(self, max_points: int) -> tuple[StreamPosition, State]:
        return await self.position(), State(Snapshot(generation=self._text.message()))

    async def ready(self) -> None:
        return

    def attach(self, follower: Follower, *, after: StreamPosition) -> None:
        def watch(publication: Publication) -> None:
            follower.offer(Item.of(publication))

        for publication in self._text.publications(after=after.offset):
            watch(publication)
        self._watchers[follower] = watch
        self._text.watchers.append(watch)

    def detach(self, follower: Follower) -> None:
        watch = self._watchers.pop(follower, None)
        if watch is not None:
            self._text.watchers.remove(watch)

    def release(self) -> None:
        return
