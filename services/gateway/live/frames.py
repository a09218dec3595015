"""Bytes or text to ClientFrame, ServerFrame to bytes or text: the two subprotocols."""

from collections.abc import Mapping
from typing import Final, Protocol

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from starlette.types import Message

from lab.errors import LabError
from lab.v1.live_pb2 import ClientFrame, ServerFrame
from services.gateway.api.reading import read_json

MAX_CLIENT_FRAME_BYTES: Final = 64 * 1024
BINARY: Final = "lab.v1"
JSON: Final = "lab.v1+json"


class BadFrame(Exception):
    """What came is no frame; the text says why."""


class Codec(Protocol):
    """One subprotocol. Messages are ASGI's: `websocket.receive` and `websocket.send`."""

    def decode(self, received: Message) -> ClientFrame: ...
    def encode(self, frame: ServerFrame) -> Message: ...


class BinaryCodec:
    """`lab.v1`: protobuf."""

    def decode(self, received: Message) -> ClientFrame:
        data = received.get("bytes")
        if data is None:
            raise BadFrame(f"the subprotocol {BINARY} takes binary messages")
        try:
            return _whole(ClientFrame.FromString(data))
        except DecodeError as error:
            raise BadFrame("the message is no lab.v1.ClientFrame") from error

    def encode(self, frame: ServerFrame) -> Message:
        return {"type": "websocket.send", "bytes": frame.SerializeToString()}


class JsonCodec:
    """`lab.v1+json`: the same messages as ProtoJSON, for people with a terminal."""

    def decode(self, received: Message) -> ClientFrame:
        text = received.get("text")
        if text is None:
            raise BadFrame(f"the subprotocol {JSON} takes text messages")
        try:
            return _whole(read_json(text.encode("utf-8", "surrogatepass"), ClientFrame))
        except LabError as error:
            raise BadFrame(error.message) from error

    def encode(self, frame: ServerFrame) -> Message:
        return {"type": "websocket.send", "text": json_format.MessageToJson(frame, indent=None)}


CODECS: Final[Mapping[str, Codec]] = {BINARY: BinaryCodec(), JSON: JsonCodec()}


def _whole(frame: ClientFrame) -> ClientFrame:
    if frame.WhichOneof("message") is None:
        raise BadFrame("the frame says nothing: it needs hello, subscribe, unsubscribe or ack")
    return frame
