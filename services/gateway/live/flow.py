"""How much a client is told before it acknowledges, and how often it may speak."""

import asyncio
from collections import deque

from lab.v1.live_pb2 import ServerFrame, ServerMessage

ACK_WINDOW_BYTES = 1 << 20
MESSAGES_PER_SEC, MESSAGE_BURST = 50.0, 100.0


class Window:
    """Sent and not acknowledged: `open` while that is little."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self._frame = 0
        self._sent: deque[tuple[int, int]] = deque()  # (frame, bytes)
        self._bytes = 0

    def numbered(self, messages: list[ServerMessage]) -> ServerFrame:
        self._frame += 1
        frame = ServerFrame(frame=self._frame, messages=messages)
        size_bytes = frame.ByteSize()
        self._sent.append((self._frame, size_bytes))
        self._bytes += size_bytes
        if self._bytes > ACK_WINDOW_BYTES:
            self.open.clear()
        return frame

    def acknowledge(self, frame: int) -> None:
        """Everything up to the frame. One that was never sent acknowledges what was."""
        while self._sent and self._sent[0][0] <= frame:
            self._bytes -= self._sent.popleft()[1]
        if self._bytes <= ACK_WINDOW_BYTES:
            self.open.set()
