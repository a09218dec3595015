"""The channels that one session follows: a task each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from lab.errors import LabError
from lab.v1.live_pb2 import ServerMessage, Subscribe, Unsubscribed
from services.gateway.live.hub import Hub
from services.gateway.live.outbox import Outbox
from services.gateway.live.subscription import Subscription

MAX_SUBSCRIPTIONS = 64

log = structlog.get_logger()


class Following:
    """`failed` is done once a subscription made a mistake that the session cannot survive."""

    def __init__(
        self,
        hub: Hub,
        outbox: Outbox,
        *,
        flowing: Callable[[], Awaitable[None]],
        too_slow: Callable[[], None],
        refuse: Callable[[int, LabError], None],
    ) -> None:
        self._hub, self._outbox = hub, outbox
        self._flowing, self._too_slow, self._refuse = flowing, too_slow, refuse
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._next_channel_id = 1
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def tasks(self) -> list[asyncio.Task[None]]:
        return list(self._tasks.values())

    def begin(self, reply_to: int, asked: Subscribe) -> bool:
        """Follows a channel, anew if it was followed; False when there are too many."""
        self._drop(asked.channel)
        if len(self._tasks) >= MAX_SUBSCRIPTIONS:
            return False
        task = asyncio.create_task(self._follow(reply_to, asked), name=f"follow {asked.channel}")
        self._tasks[asked.channel] = task
        task.add_done_callback(lambda ended: self._ended(asked.channel, ended))
        return True

    def end(self, reply_to: int, channel: str) -> None:
        self._drop(channel)
        told = Unsubscribed(channel=channel)
        self._outbox.say(ServerMessage(reply_to=reply_to, unsubscribed=told))

    async def _follow(self, reply_to: int, asked: Subscribe) -> None:
        """The task of a subscription. Refusals are told; the session lives on."""
        try:
            feed = self._hub.feed(asked.channel)
        except LabError as error:
            self._refuse(reply_to, error)
            return
        lane = self._outbox.lane(self._next_channel_id, feed.policy)
        self._next_channel_id += 1
        subscription = Subscription(
            feed=feed, lane=lane, asked=asked, flowing=self._flowing, too_slow=self._too_slow
        )
        try:
            await subscription.begin(reply_to=reply_to)
            gone = await subscription.follow()
            told = Unsubscribed(channel=asked.channel, reason=gone)
            self._outbox.say(ServerMessage(channel_id=lane.channel_id, unsubscribed=told))
        except LabError as error:
            self._refuse(reply_to, error)
        finally:
            subscription.end()
            self._outbox.drop(lane)

    def _drop(self, channel: str) -> None:
        task = self._tasks.pop(channel, None)
        if task is not None:
            task.cancel()

    def _ended(self, channel: str, ended: asyncio.Task[None]) -> None:
        if self._tasks.get(channel) is ended:
            del self._tasks[channel]
        if not ended.cancelled() and (error := ended.exception()):
            log.error("subscription failed", channel=channel, exc_info=error)
            if not self.failed.done():
                self.failed.set_result(None)
