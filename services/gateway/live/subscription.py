"""One session following one channel: snapshot or recovery first, then publications, and a snapshot
again whenever something could not be told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from prometheus_client import Counter

from lab.errors import Code, LabError
from lab.v1.live_pb2 import (
    Conflated,
    ServerMessage,
    Snapshot,
    StreamPosition,
    Subscribe,
    Subscribed,
)
from services.gateway.live.channels import State
from services.gateway.live.feeds import Feed
from services.gateway.live.outbox import Item, Lane, Policy

RETRY_SECS = 1.0
# A gateway that was just restarted is still connecting when its clients come back.
RECONNECT_SECS = 2.0
# Deleting ten checkpoints in a row makes one new list, not ten.
SETTLE_SECS = 0.1

DELIVERED = Counter("lab_gateway_publications_total", "Publications put into outboxes", ["policy"])
DROPPED = Counter("lab_gateway_conflated_total", "Publications replaced by a snapshot")

log = structlog.get_logger()


class Subscription:
    """A feed's follower. `begin` answers the client; `follow` is the rest of its life."""

    def __init__(
        self,
        *,
        feed: Feed,
        lane: Lane,
        asked: Subscribe,
        flowing: Callable[[], Awaitable[None]],
        too_slow: Callable[[], None],
    ) -> None:
        """`flowing` waits until the client keeps up; `too_slow` ends the session."""
        self._feed, self.lane, self._asked = feed, lane, asked
        self._flowing, self._too_slow = flowing, too_slow
        self._delivered = DELIVERED.labels(feed.policy.value)
        self._behind = asyncio.Event()
        self._cursor = 0  # offset of the newest publication seen
        self._recover_to = 0  # up to here it is recovery: too much of it is nobody's slowness
        self._known: tuple[str, int] = ("", 0)  # run and sequence that the snapshot includes
        self._dropped = 0

    def offer(self, item: Item) -> None:
        offset = item.publication.offset
        if self._behind.is_set():
            self._dropped += 1
            return
        if offset <= self._cursor:
            return
        self._cursor = offset
        run, sequence = self._known
        if item.sequence and item.run == run and item.sequence <= sequence:
            return
        self._delivered.inc()
        fits = self.lane.publish(item)
        if self.lane.outbox.over:
            self._too_slow()
        if fits:
            return
        if self._feed.policy is Policy.ALL and offset > self._recover_to:
            self._too_slow()
        else:
            self.lose_track()

    def lose_track(self) -> None:
        self._dropped += self.lane.give_up()
        self._behind.set()

    async def begin(self, *, reply_to: int) -> None:
        """Answers Subscribe. Raises LabError when there is nothing to begin with."""
        asked = self._asked
        since = asked.since if asked.HasField("since") else None
        if since is not None and await self._can_recover(since):
            position = await self._feed.position()
            self._say_subscribed(reply_to, position, recovered=True)
            self._recover_to = position.offset
            self._go_on(since)
            return
        position, state = await self._feed.state(asked.max_points)
        self._say_subscribed(reply_to, position, recovered=False)
        self._take(position, state)

    async def follow(self) -> str:
        """A new snapshot whenever one is needed; answers why the channel is no more."""
        while True:
            await self._behind.wait()
            self._feed.detach(self)
            await asyncio.sleep(SETTLE_SECS)
            await self._flowing()
            await self._feed.ready()
            try:
                position, state = await self._feed.state(self._asked.max_points)
            except LabError as error:
                if error.code is Code.NOT_FOUND:
                    return error.message
                log.info("no new snapshot yet", channel=self._asked.channel, why=error.message)
                await asyncio.sleep(RETRY_SECS)
                continue
            if self._dropped:
                DROPPED.inc(self._dropped)
                self.lane.say(ServerMessage(conflated=Conflated(dropped=self._dropped)))
            self._take(position, state)

    def end(self) -> None:
        self._feed.detach(self)
        self._feed.release()

    async def _can_recover(self, since: StreamPosition) -> bool:
        try:
            async with asyncio.timeout(RECONNECT_SECS):
                await self._feed.ready()
            return await self._feed.can_recover(since)
        except (TimeoutError, LabError):  # NATS is away: a snapshot can be had all the same
            return False

    def _take(self, position: StreamPosition, state: State) -> None:
        snapshot = Snapshot()
        snapshot.CopyFrom(state.snapshot)
        if position.epoch:
            snapshot.position.CopyFrom(position)
        self.lane.say(ServerMessage(snapshot=snapshot))
        self._known = (self._run(), state.sequence)
        self._dropped = 0
        if position.epoch:
            self._behind.clear()
            self._go_on(position)
        else:
            self._behind.set()  # NATS is away: once more when it is back

    def _go_on(self, after: StreamPosition) -> None:
        self._cursor = after.offset
        self._feed.attach(self, after=after)

    def _run(self) -> str:
        return "/".join(self._asked.channel.split("/")[:2])

    def _say_subscribed(self, reply_to: int, position: StreamPosition, *, recovered: bool) -> None:
        self.lane.say(
            ServerMessage(
                reply_to=reply_to,
                subscribed=Subscribed(
                    channel=self._asked.channel,
                    channel_id=self.lane.channel_id,
                    position=position,
                    recovered=recovered,
                ),
            )
        )
