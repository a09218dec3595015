"""What goes, and back: trash and policies."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from lab.cli.checkpoints.command import AsJson, Name, app
from lab.cli.output import answers, json_of, moment, size, table
from lab.client import connect
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.checkpoint_service_pb2 import ApplyRetentionResponse


@app.command()
def delete(
    checkpoint: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    permanently: Annotated[
        bool, typer.Option("--permanently", help="Not to the trash, and out of it.")
    ] = False,
) -> None:
    """Move a checkpoint to the trash."""
    if not yes:
        question = f"Delete {checkpoint} for good?" if permanently else f"Delete {checkpoint}?"
        typer.confirm(question, abort=True)

    async def work() -> Checkpoint | None:
        async with connect() as lab:
            return await lab.checkpoints.delete(checkpoint, permanently=permanently)

    trashed = asyncio.run(work())
    if trashed is None:
        return answers.print(f"deleted {checkpoint}")
    answers.print(
        f"moved {checkpoint} to the trash; until {moment(trashed.expire_time)} take it back "
        f"with: lab checkpoints restore {checkpoint}"
    )


@app.command()
def restore(checkpoint: Name) -> None:
    """Take a checkpoint back from the trash."""

    async def work() -> Checkpoint:
        async with connect() as lab:
            return await lab.checkpoints.restore(checkpoint)

    answers.print(f"restored {asyncio.run(work()).name}")


@app.command()
def retention(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    last: Annotated[int, typer.Option("--last", min=2, help="Keep this many of the newest.")] = 2,
    best: Annotated[bool, typer.Option(help="Keep the one with the lowest loss.")] = True,
    every: Annotated[int, typer.Option("--every", min=0, help="Keep multiples of this step.")] = 0,
    log_spaced: Annotated[
        bool, typer.Option("--log-spaced", help="Keep the first after 1, 2, 4, 8 ... steps.")
    ] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Do it; else only say what would happen.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say which checkpoints of a run a policy keeps, and with --apply delete the rest."""

    async def work() -> ApplyRetentionResponse:
        async with connect() as lab:
            return await lab.checkpoints.retain(
                run,
                keep_last=last,
                keep_best=best,
                keep_every=every,
                log_spaced=log_spaced,
                dry_run=not apply,
            )

    decided = asyncio.run(work())
    if as_json:
        return json_of(decided)
    table(
        (">step", ">size", "stays", "why"),
        [
            (
                f"{each.step:,}",
                size(each.size_bytes),
                "yes" if each.kept_because else "no",
                ", ".join(each.kept_because),
            )
            for each in decided.decisions
        ],
    )
    going = sum(not each.kept_because for each in decided.decisions)
    done = "moved to the trash" if apply else "would go to the trash; do it with --apply"
    word = "checkpoint" if going == 1 else "checkpoints"
    answers.print(f"{going} {word}, {size(decided.removed_bytes)}, {done}")
