"""What a run is told to do next."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from lab.cli.output import answers
from lab.cli.runs.command import RunName, app, tell
from lab.client import connect
from lab.v1.run_pb2 import Run


@app.command()
def pause(run: RunName) -> None:
    """Halt at the next step boundary."""

    async def work() -> Run:
        async with connect() as lab:
            return await lab.runs.pause(run)

    tell(asyncio.run(work()))


@app.command()
def resume(run: RunName) -> None:
    """Go on from a pause, or from the last checkpoint."""

    async def work() -> Run:
        async with connect() as lab:
            return await lab.runs.resume(run)

    tell(asyncio.run(work()))


@app.command()
def step(
    run: RunName, steps: Annotated[int, typer.Argument(min=1, max=10_000, help="How many.")] = 1
) -> None:
    """Make a few steps of a paused run and pause again."""

    async def work() -> Run:
        async with connect() as lab:
            return await lab.runs.advance(run, steps)

    tell(asyncio.run(work()))


@app.command()
def stop(
    run: RunName,
    save: Annotated[
        bool | None, typer.Option(help="Write a checkpoint first; else the spec decides.")
    ] = None,
) -> None:
    """End a run at the next step boundary."""

    async def work() -> Run:
        async with connect() as lab:
            return await lab.runs.stop(run, save=save)

    tell(asyncio.run(work()))


@app.command()
def delete(
    run: RunName, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> None:
    """Remove a run at rest and its history; its checkpoints stay."""
    if not yes:
        typer.confirm(f"Delete {run} and its metric history?", abort=True)

    async def work() -> None:
        async with connect() as lab:
            await lab.runs.delete(run)

    asyncio.run(work())
    answers.print(f"deleted {run}")
