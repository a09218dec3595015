"""Verbs of a resource, `POST /api/…/{id}:pause`: one call of its owner with the name filled in."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from google.protobuf.message import Message

from services.gateway.api.protojson import Body, documented, respond
from services.gateway.upstream import ask


@dataclass(frozen=True)
class Verb:
    """`says` is what /docs tells of it."""

    word: str
    rpc: str
    request: type[Message]
    answer: type[Message]
    says: str
    timeout_secs: float | None = None


def add_verb(
    routes: APIRouter,
    verb: Verb,
    *,
    of: str,
    path: str,
    named: Callable[..., Awaitable[str]],
    stub: Any,
) -> None:
    """`of` is what it is asked of, as in "run"; `named` tells its name, by the ids in the path."""
    read = Body(verb.request, without=("name",))

    async def command(
        request: Request,
        name: Annotated[str, Depends(named)],
        body: Annotated[Any, Depends(read)],
    ) -> Response:
        body.name = name
        method = getattr(stub, verb.rpc)
        return respond(request, await ask(method, body, timeout_secs=verb.timeout_secs))

    routes.add_api_route(
        f"{path}:{verb.word}",
        command,
        methods=["POST"],
        name=f"{verb.word}_{of}",
        description=verb.says,
        **documented(verb.answer, body=read),
    )
