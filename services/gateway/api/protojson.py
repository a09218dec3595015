"""lab.v1 messages as HTTP bodies: ProtoJSON in and out, binary out for those who ask for it."""

from collections.abc import Collection
from typing import Any, Generic, TypeVar

import orjson
from fastapi import Request
from fastapi.responses import Response
from google.protobuf import json_format
from google.protobuf.message import Message

from services.gateway.api.reading import read_json
from services.gateway.api.schemas import reference

M = TypeVar("M", bound=Message)

JSON = "application/json"
BINARY = "application/x-protobuf"
MAX_BODY_BYTES = 1 << 20


class Body(Generic[M]):
    """A FastAPI dependency: the request's body as a message of `kind`.

    `without` names the fields that are in the address already.
    """

    def __init__(self, kind: type[M], *, without: Collection[str] = ()) -> None:
        self.kind, self.without = kind, without

    async def __call__(self, request: Request) -> M:
        return read_json(await request.body(), self.kind, without=self.without)


def to_json(message: Message) -> bytes:
    """Compact ProtoJSON; fields with no presence are always there, so that lists can be empty."""
    return orjson.dumps(
        json_format.MessageToDict(message, always_print_fields_with_no_presence=True)
    )


def respond(request: Request, message: Message, *, status: int = 200) -> Response:
    """The message in the encoding the request accepts; JSON unless binary is asked for by name."""
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    if BINARY in request.headers.get("accept", ""):
        return Response(
            message.SerializeToString(), status_code=status, media_type=BINARY, headers=headers
        )
    return Response(to_json(message), status_code=status, media_type=JSON, headers=headers)


def documented(answer: type[Message], *, body: Body[Any] | None = None) -> dict[str, Any]:
    """Keyword arguments for a route, so that the OpenAPI document knows its messages."""
    schema = reference(answer)
    described: dict[str, Any] = {
        "response_class": Response,
        "responses": {
            200: {
                "description": "Done.",
                "content": {
                    JSON: {"schema": schema},
                    BINARY: {"schema": {"type": "string", "format": "binary"}},
                },
            },
        },
    }
    if body is not None:
        described["openapi_extra"] = {
            "requestBody": {
                "required": False,
                "content": {JSON: {"schema": reference(body.kind, without=body.without)}},
            }
        }
    return described
