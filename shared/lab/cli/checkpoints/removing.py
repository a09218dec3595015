"""What goes, and back: trash and policies."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from lab.cli.checkpoints.command import AsJson, Name, app
from lab.cli.output import answers, json_of, size, table
from lab.cli.trash import Permanently, Yes, take_back, throw_away
from lab.client import connect
from lab.v1.checkpoint_service_pb2 import ApplyRetentionResponse


@app.command()
def delete(checkpoint: Name, yes: Yes = False, permanently: Permanently = False) -> None:
    """Move a checkpoint to the trash."""
    throw_away(
        checkpoint,
        lambda lab: lab.checkpoints.delete(checkpoint, permanently=permanently),
        what=checkpoint,
        back="lab checkpoints restore",
        yes=yes,
        permanently=permanently,
    )


@app.command()
def restore(checkpoint: Name) -> None:
    """Take a checkpoint back from the trash."""
    take_back(lambda lab: lab.checkpoints.restore(checkpoint))


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
