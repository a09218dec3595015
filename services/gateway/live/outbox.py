"""What a session has still to send. It never grows without bound, because it knows what may go.

Each channel has a lane with a policy. ALL keeps every publication, in order, and is over when there
are too many. SERIES gives its publications up when there are too many: a snapshot replaces them.
LATEST keeps the newest of each key. Answers and snapshots are kept whatever the policy.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from lab.v1.live_pb2 import Publication, ServerMessage

MAX_LANE_ITEMS = 4_000
MAX_LANE_BYTES = 1 << 20
MAX_OUTBOX_BYTES = 16 << 20
MAX_FRAME_BYTES = 256 * 1024


class Policy(Enum):
    """What happens to publications while a client is behind."""

    ALL = "all"
    SERIES = "series"
    LATEST = "latest"


@dataclass(frozen=True)
class Item:
    """A publication with what every session would otherwise work out again."""

    publication: Publication
    size_bytes: int
    run: str = ""
    sequence: int = 0
    key: str = ""  # for LATEST: what it is the newest of

    @classmethod
    def of(cls, publication: Publication, *, key: str = "") -> "Item":
        event = publication.event
        return cls(publication, publication.ByteSize(), event.run, event.sequence, key)


@dataclass
class Entry:
    message: ServerMessage
    size_bytes: int
    publication: bool = False
    key: str = ""


class Lane:
    """What one channel has still to say to one session."""

    def __init__(self, outbox: "Outbox", channel_id: int, policy: Policy) -> None:
        self.outbox, self.channel_id, self.policy = outbox, channel_id, policy
        self.entries: deque[Entry] = deque()
        self._newest: dict[str, Entry] = {}
        self._publications = self._bytes = 0

    def say(self, message: ServerMessage) -> None:
        """Something that is kept whatever the policy; in order with the publications."""
        message.channel_id = self.channel_id
        self.append(Entry(message, message.ByteSize()))

    def publish(self, item: Item) -> bool:
        """False when the lane is over its limit; what it then holds is for `give_up` to clear."""
        message = ServerMessage(channel_id=self.channel_id, publication=item.publication)
        if self.policy is Policy.LATEST and (old := self._newest.get(item.key)):
            self.outbox.size_bytes += item.size_bytes - old.size_bytes
            self._bytes += item.size_bytes - old.size_bytes
            old.message, old.size_bytes = message, item.size_bytes
            return True
        entry = Entry(message, item.size_bytes, publication=True, key=item.key)
        if self.policy is Policy.LATEST:
            self._newest[item.key] = entry
        self._publications += 1
        self.append(entry)
        limits = self.outbox
        return self._publications <= limits.lane_items and self._bytes <= limits.lane_bytes

    def give_up(self) -> int:
        """Drops all publications that wait; how many."""
        dropped = self._publications
        kept = [entry for entry in self.entries if not entry.publication]
        self.clear()
        for entry in kept:
            self.append(entry)
        return dropped

    def clear(self) -> None:
        self.outbox.size_bytes -= sum(entry.size_bytes for entry in self.entries)
        self.entries.clear()
        self._newest.clear()
        self._publications = self._bytes = 0

    def pop(self) -> Entry:
        entry = self.entries.popleft()
        self.outbox.size_bytes -= entry.size_bytes
        if entry.publication:
            self._publications -= 1
            self._bytes -= entry.size_bytes
            self._newest.pop(entry.key, None)
        return entry

    def append(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.outbox.size_bytes += entry.size_bytes
        if entry.publication:
            self._bytes += entry.size_bytes
        self.outbox.dirty.set()


class Outbox:
    """The lanes of a session, and one for what is about no channel."""

    def __init__(
        self, *, lane_items: int = MAX_LANE_ITEMS, lane_bytes: int = MAX_LANE_BYTES
    ) -> None:
        self.lane_items, self.lane_bytes = lane_items, lane_bytes
        self.size_bytes = 0
        self.dirty = asyncio.Event()
        self._general = Lane(self, 0, Policy.ALL)
        self._lanes: dict[int, Lane] = {0: self._general}

    @property
    def over(self) -> bool:
        return self.size_bytes > MAX_OUTBOX_BYTES

    def say(self, message: ServerMessage) -> None:
        """Something that is in no channel's order. It goes before what channels have to say."""
        self._general.append(Entry(message, message.ByteSize()))

    def lane(self, channel_id: int, policy: Policy) -> Lane:
        self._lanes[channel_id] = Lane(self, channel_id, policy)
        return self._lanes[channel_id]

    def drop(self, lane: Lane) -> None:
        """The channel is no longer followed; nothing more of it is sent."""
        lane.clear()
        self._lanes.pop(lane.channel_id, None)

    def take(self) -> list[list[ServerMessage]]:
        """Everything that waits, as the messages of one frame or of several."""
        self.dirty.clear()
        frames: list[list[ServerMessage]] = []
        room_bytes = 0
        for entry in self._drained():
            if not frames or entry.size_bytes > room_bytes:
                frames.append([])
                room_bytes = MAX_FRAME_BYTES
            frames[-1].append(entry.message)
            room_bytes -= entry.size_bytes
        return frames

    def _drained(self) -> Iterator[Entry]:
        for lane in list(self._lanes.values()):
            while lane.entries:
                yield lane.pop()
