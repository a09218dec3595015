"""Facts on NATS: which subject each has, the streams that keep them, publishing, reading."""

from lab.bus.bus import Bus, Position
from lab.bus.listen import listen
from lab.bus.publisher import Publisher
from lab.bus.tail import HistoryLost, tail

__all__ = ["Bus", "HistoryLost", "Position", "Publisher", "listen", "tail"]
