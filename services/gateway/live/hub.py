"""Gives every session the feed of a channel, one for all who follow it."""

from __future__ import annotations

import lab
from lab.bus import Bus, listen
from lab.bus.subjects import topic
from lab.service.readiness import Readiness
from lab.service.tasks import Tasks
from lab.v1.rest_pb2 import SystemStatus
from services.gateway.generations import Generations
from services.gateway.live.channels import Channels
from services.gateway.live.feeds import BusFeed, Feed, TextFeed
from services.gateway.live.system import ServicesSeen
from services.gateway.upstream import Upstream


class Hub:
    """Listens for beats from the start; reads streams only while somebody follows them."""

    def __init__(
        self,
        *,
        bus: Bus,
        upstream: Upstream,
        generations: Generations,
        readiness: Readiness,
        tasks: Tasks,
    ) -> None:
        self._bus, self._generations, self._tasks = bus, generations, tasks
        self._channels = Channels(upstream)
        self._feeds: dict[str, BusFeed] = {}
        self._system = ServicesSeen(bus, readiness)
        self.sessions = 0
        changed = listen(
            bus,
            topic("shelf"),
            heard=lambda _: self._shelf_changed(),
            joined=self._shelf_changed,
        )
        tasks.start("hear changes of checkpoints", changed)
        tasks.start("hear beats", self._system.listen())
        tasks.start("look for lost services", self._system.look())

    def feed(self, channel: str) -> Feed:
        """Raises NotFound for a channel that is none. To be released by whoever asked."""
        if channel == "system":
            return self._system
        if channel.startswith("generations/"):
            return TextFeed(self._generations.find(channel))
        feed = self._feeds.get(channel)
        if feed is None:
            feed = BusFeed(
                self._bus,
                self._channels.find(channel),
                start=self._tasks.start,
                unused=lambda: self._forget(channel),
            )
            self._feeds[channel] = feed
        feed.held += 1
        return feed

    def _forget(self, channel: str) -> None:
        del self._feeds[channel]

    def _shelf_changed(self) -> None:
        """Only a name is told, and what was told while NATS was away is not known: whoever follows
        the checkpoints gets them anew."""
        if feed := self._feeds.get("checkpoints"):
            feed.lose_track()

    def status(self) -> SystemStatus:
        return SystemStatus(
            version=lab.__version__,
            services=self._system.beats(),
            bus_connected=self._bus.connected,
            live_sessions=self.sessions,
        )
