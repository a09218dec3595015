"""What is deleted goes to a trash, from which it can be taken back: the one way to say so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Protocol

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from lab.cli.output import answers, moment
from lab.client import connect
from lab.client.connection import Lab

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Permanently = Annotated[
    bool, typer.Option("--permanently", help="Not to the trash, and out of it.")
]


class Deletable(Protocol):
    """A run or a checkpoint."""

    @property
    def name(self) -> str: ...

    @property
    def expire_time(self) -> Timestamp: ...


def throw_away(
    name: str,
    delete: Callable[[Lab], Awaitable[Deletable | None]],
    *,
    what: str,
    back: str,
    yes: bool,
    permanently: bool,
) -> None:
    """Asks whether `what` is to be deleted unless `yes`, deletes, and says how it comes `back`."""
    if not yes:
        typer.confirm(f"Delete {what}{' for good' if permanently else ''}?", abort=True)

    async def work() -> Deletable | None:
        async with connect() as lab:
            return await delete(lab)

    trashed = asyncio.run(work())
    if trashed is None:
        return answers.print(f"deleted {name}")
    answers.print(
        f"moved {name} to the trash; until {moment(trashed.expire_time)} take it back with: "
        f"{back} {name}"
    )


def take_back(restore: Callable[[Lab], Awaitable[Deletable]]) -> None:
    """Restores and says so."""

    async def work() -> Deletable:
        async with connect() as lab:
            return await restore(lab)

    answers.print(f"restored {asyncio.run(work()).name}")
