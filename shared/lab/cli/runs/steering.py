"""What a run is told to do next."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from lab.cli.runs.command import RunName, app, tell
from lab.cli.trash import Permanently, Yes, take_back, throw_away
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
def delete(run: RunName, yes: Yes = False, permanently: Permanently = False) -> None:
    """Move a run at rest to the trash, its checkpoints with it."""
    throw_away(
        run,
        lambda lab: lab.runs.delete(run, permanently=permanently),
        what=f"{run}, its metric history and its checkpoints",
        back="lab runs restore",
        yes=yes,
        permanently=permanently,
    )


@app.command()
def restore(run: RunName) -> None:
    """Take a run back from the trash, with the checkpoints that went there with it."""
    take_back(lambda lab: lab.runs.restore(run))
