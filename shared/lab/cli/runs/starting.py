"""From a preset or a checkpoint to a run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from lab.cli.output import answers, json_of
from lab.cli.runs.command import AsJson, app, fail_if_failed, run_id, state_of, tell
from lab.cli.runs.watch import follow
from lab.cli.spec_file import choose_preset, read_spec_file
from lab.client import connect
from lab.v1.run_pb2 import Run


@app.command()
def start(
    config: Annotated[
        str | None, typer.Option("--config", "--preset", help="nano, small or medium.")
    ] = None,
    corpus: Annotated[str | None, typer.Option(help="Text to train on.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps.")] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the text.")] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    batch: Annotated[int | None, typer.Option(help="Sequences per step.")] = None,
    save: Annotated[bool | None, typer.Option(help="Write a checkpoint when the run ends.")] = None,
    save_every: Annotated[
        int | None, typer.Option(help="Steps between checkpoints; 0 for none.")
    ] = None,
    prompt: Annotated[
        list[str] | None, typer.Option(help="Sample this prompt; repeatable.")
    ] = None,
    yaml: Annotated[Path | None, typer.Option(help="A spec, laid over the preset.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="As in model.layers=4; repeatable.")
    ] = None,
    name: Annotated[str, typer.Option(help="Id of the run; made up when left out.")] = "",
    title: Annotated[str, typer.Option(help="What people call it.")] = "",
    watch: Annotated[bool, typer.Option("--watch", help="Follow it to its end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start a run."""
    file = read_spec_file(yaml)
    preset = choose_preset(config, file)

    async def work() -> Run:
        async with connect() as lab:
            run = await lab.runs.create(
                preset,
                corpus=corpus,
                steps=steps,
                epochs=epochs,
                learning_rate=lr,
                batch=batch,
                save=save,
                save_every=save_every,
                prompts=prompt or (),
                settings=settings or (),
                overrides=file.spec,
                run_id=name.removeprefix("runs/"),
                display_name=title,
            )
            if watch:
                answers.print(run.name)
                return await follow(lab, run.name)
            return run

    run = asyncio.run(work())
    if as_json:
        json_of(run)
    elif not watch:
        answers.print(f"{run.name} {state_of(run)}: {run.stats.total_steps:,} steps")
        answers.print(f"follow it with: lab runs watch {run_id(run)}")
    fail_if_failed(run if watch else None)


@app.command()
def fork(
    checkpoint: Annotated[
        str, typer.Argument(metavar="CHECKPOINT", help="RUN@STEP, or its full name.")
    ],
    steps: Annotated[int | None, typer.Option(help="Steps of the whole run.")] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="As in budget.batch=8; repeatable.")
    ] = None,
    name: Annotated[str, typer.Option(help="Id of the run; made up when left out.")] = "",
    title: Annotated[str, typer.Option(help="What people call it.")] = "",
    watch: Annotated[bool, typer.Option("--watch", help="Follow it to its end.")] = False,
) -> None:
    """Start a run that goes on from a checkpoint, with other settings where they are given."""

    async def work() -> Run:
        async with connect() as lab:
            run = await lab.runs.fork(
                checkpoint,
                steps=steps,
                learning_rate=lr,
                settings=settings or (),
                run_id=name,
                display_name=title,
            )
            return await follow(lab, run_id(run)) if watch else run

    run = asyncio.run(work())
    if watch:
        return fail_if_failed(run)
    tell(run)
