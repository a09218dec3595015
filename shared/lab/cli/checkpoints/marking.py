"""What people say about a checkpoint: pins, notes, labels."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated

import typer

from lab.cli.checkpoints.command import Name, app
from lab.cli.output import answers
from lab.client import connect
from lab.errors import InvalidArgument
from lab.v1.checkpoint_pb2 import Checkpoint


@app.command()
def pin(checkpoint: Name) -> None:
    """Keep a checkpoint: it is not deleted until it is unpinned."""
    asyncio.run(_update(checkpoint, pinned=True))
    answers.print(f"pinned {checkpoint}")


@app.command()
def unpin(checkpoint: Name) -> None:
    """Let a checkpoint be deleted again."""
    asyncio.run(_update(checkpoint, pinned=False))
    answers.print(f"unpinned {checkpoint}")


@app.command()
def note(
    checkpoint: Name, text: Annotated[str, typer.Argument(help='What to remember; "" for nothing.')]
) -> None:
    """Write a note to a checkpoint."""
    asyncio.run(_update(checkpoint, notes=text))
    answers.print(f"noted on {checkpoint}")


@app.command()
def label(
    checkpoint: Name,
    labels: Annotated[
        list[str], typer.Argument(metavar="NAME=TEXT...", help="NAME= removes the label.")
    ],
) -> None:
    """Set and remove labels of a checkpoint."""
    given = dict(_label(each) for each in labels)
    found = asyncio.run(_update(checkpoint, labels=given))
    answers.print(
        ", ".join(f"{key}={text}" for key, text in sorted(found.labels.items())) or "none"
    )


async def _update(
    checkpoint: str,
    *,
    pinned: bool | None = None,
    notes: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> Checkpoint:
    async with connect() as lab:
        return await lab.checkpoints.update(checkpoint, pinned=pinned, notes=notes, labels=labels)


def _label(given: str) -> tuple[str, str]:
    key, equals, text = given.partition("=")
    if not equals:
        raise InvalidArgument.field("label", f'"{given}" must have the form NAME=TEXT')
    return key, text
