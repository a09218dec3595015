"""Framed protobuf messages over a stream: a 4-byte big-endian length, then the message.

The trainer and its worker speak this over a socket pair; so does `lab train`. Both sides know which
message type to expect, so the frame carries none.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from typing import TypeVar

from google.protobuf.message import Message

M = TypeVar("M", bound=Message)

_LENGTH = struct.Struct(">I")
MAX_MESSAGE_BYTES = 4 << 20  # far above any fact; a longer length means the stream is out of step


class LinkClosed(Exception):
    """The other side is gone, between two messages or in the middle of one."""


def encode(message: Message) -> bytes:
    """One frame."""
    body = message.SerializeToString()
    if len(body) > MAX_MESSAGE_BYTES:
        raise ValueError(f"a message of {len(body)} bytes is over the limit of {MAX_MESSAGE_BYTES}")
    return _LENGTH.pack(len(body)) + body


def _length(header: bytes) -> int:
    (length,) = _LENGTH.unpack(header)
    if length > MAX_MESSAGE_BYTES:
        raise LinkClosed(f"frame of {length} bytes: the stream is out of step")
    return int(length)


class Link:
    """The blocking end of the link, for programs without an event loop. Sending is thread-safe."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sending = threading.Lock()

    def send(self, message: Message) -> None:
        """Raises LinkClosed when the other side is gone."""
        frame = encode(message)
        with self._sending:
            try:
                self._sock.sendall(frame)
            except OSError as error:
                raise LinkClosed(str(error)) from error

    def receive(self, kind: type[M]) -> M:
        """Blocks for the next message; raises LinkClosed when the other side is gone."""
        return kind.FromString(self._receive_exactly(_length(self._receive_exactly(_LENGTH.size))))

    def close(self) -> None:
        """Wakes a thread that is blocked in `receive`."""
        with contextlib.suppress(OSError):  # the other side may have been faster
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def _receive_exactly(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            try:
                part = self._sock.recv(count - len(parts))
            except OSError as error:
                raise LinkClosed(str(error)) from error
            if not part:
                raise LinkClosed("the other side closed the link")
            parts += part
        return bytes(parts)


async def receive(reader: asyncio.StreamReader, kind: type[M]) -> M:
    """The next message from an asyncio stream; raises LinkClosed when the other side is gone."""
    try:
        length = _length(await reader.readexactly(_LENGTH.size))
        return kind.FromString(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise LinkClosed("the other side closed the link") from error
