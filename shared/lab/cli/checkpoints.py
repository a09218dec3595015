"""`lab checkpoints`: what was saved, and whether it is whole."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from lab.cli.output import answers, errors, json_of, number, pairs, size, table
from lab.client import connect
from lab.v1.checkpoint_pb2 import Checkpoint

app = typer.Typer(help="List, show, verify and delete checkpoints.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="CHECKPOINT", help="RUN@STEP, or its full name.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print ProtoJSON, as the REST interface.")]


@app.command("list")
def list_checkpoints(
    run: Annotated[str, typer.Argument(metavar="[RUN]", help="Only of this run.")] = "",
    as_json: AsJson = False,
) -> None:
    """List checkpoints, newest first."""

    async def work() -> Sequence[Checkpoint]:
        async with connect() as lab:
            return await lab.checkpoints.list(run)

    found = asyncio.run(work())
    if as_json:
        return json_of(found)
    if not found:
        return answers.print("no checkpoints; write one with: lab runs save RUN")
    table(
        ("checkpoint", ">step", ">loss", ">val loss", ">size", "saved"),
        [
            (
                checkpoint.name,
                f"{checkpoint.step:,}",
                number(checkpoint.loss if checkpoint.HasField("loss") else None),
                number(
                    checkpoint.validation_loss if checkpoint.HasField("validation_loss") else None
                ),
                size(checkpoint.size_bytes),
                f"{checkpoint.create_time.ToDatetime():%Y-%m-%d %H:%M:%S}",
            )
            for checkpoint in found
        ],
    )


@app.command()
def show(checkpoint: Name, as_json: AsJson = False) -> None:
    """Show one checkpoint and its files."""

    async def work() -> Checkpoint:
        async with connect() as lab:
            return await lab.checkpoints.get(checkpoint)

    found = asyncio.run(work())
    if as_json:
        return json_of(found)
    pairs(
        [
            ("checkpoint", found.name),
            ("preset", found.preset),
            ("step", f"{found.step:,}"),
            ("tokens", f"{found.tokens:,}"),
            ("size", size(found.size_bytes)),
            ("digest", found.digest),
        ]
    )
    table(
        ("file", ">size", "sha256"),
        [(file.name, size(file.size_bytes), file.sha256) for file in found.files],
    )


@app.command()
def verify(checkpoint: Name) -> None:
    """Hash every file again and compare with the manifest."""

    async def work() -> Sequence[str]:
        async with connect() as lab:
            return await lab.checkpoints.verify(checkpoint)

    damage = asyncio.run(work())
    if not damage:
        return answers.print(f"{checkpoint} is whole")
    for sentence in damage:
        errors.print(f"lab: {sentence}")
    raise typer.Exit(1)


@app.command()
def delete(
    checkpoint: Name, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> None:
    """Remove a checkpoint."""
    if not yes:
        typer.confirm(f"Delete {checkpoint}?", abort=True)

    async def work() -> None:
        async with connect() as lab:
            await lab.checkpoints.delete(checkpoint)

    asyncio.run(work())
    answers.print(f"deleted {checkpoint}")
