"""When a run is saved, and that it be saved now."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from lab.cli.output import answers, pairs, size
from lab.cli.runs.command import RunName, app
from lab.client import connect
from lab.spec import saving_policy
from lab.v1.run_pb2 import Run


@app.command()
def saving(
    run: RunName,
    every: Annotated[int | None, typer.Option(help="Steps between two; 0 for none.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Minutes between two; 0 for none.")] = None,
    log_spaced: Annotated[bool | None, typer.Option(help="After 1, 2, 4, 8 ... steps.")] = None,
    best: Annotated[bool | None, typer.Option(help="At each new lowest validation loss.")] = None,
    on_stop: Annotated[bool | None, typer.Option(help="When it ends or is stopped.")] = None,
    weights_only: Annotated[
        bool | None, typer.Option(help="A third of the size; not to resume from.")
    ] = None,
) -> None:
    """Change when a run is saved, also while it trains."""

    async def work() -> Run:
        async with connect() as lab:
            return await lab.runs.set_saving(
                run,
                every_steps=every,
                every_minutes=minutes,
                log_spaced=log_spaced,
                best=best,
                on_stop=on_stop,
                weights_only=weights_only,
            )

    changed = asyncio.run(work())
    policy = saving_policy(changed.spec.hooks, changed.live)
    if policy.off:
        return answers.print(f"{changed.name} is not saved unasked")
    pairs(
        [
            ("every", f"{policy.every_steps:,} steps" if policy.every_steps else "no steps"),
            ("every", f"{policy.every_secs / 60:g} min" if policy.every_secs else "no minutes"),
            ("log-spaced", "yes" if policy.log_spaced else "no"),
            ("best", "yes" if policy.best else "no"),
            ("at the end", "yes" if policy.on_stop else "no"),
            ("holds", "weights only" if policy.weights_only else "all that a resume needs"),
        ]
    )


@app.command("save")
def save_now(
    run: RunName,
    weights_only: Annotated[
        bool, typer.Option("--weights-only", help="A third of the size; not to resume from.")
    ] = False,
) -> None:
    """Write a checkpoint now."""

    async def work() -> str:
        async with connect() as lab:
            checkpoint = await lab.runs.save(run, weights_only=weights_only)
            return f"{checkpoint.name} ({size(checkpoint.size_bytes)})"

    answers.print(asyncio.run(work()))
