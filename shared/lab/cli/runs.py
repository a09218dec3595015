"""`lab runs`: start runs, steer them, follow them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from lab.cli.output import answers, duration, json_of, number, pairs, size, table
from lab.cli.spec_file import choose_preset, read_spec_file
from lab.cli.watch import follow
from lab.client import connect
from lab.spec import run_to_yaml, saving_policy, spec_to_yaml
from lab.v1.run_pb2 import Run, RunState, RunVerb

app = typer.Typer(help="Start, steer and follow runs of a running cluster.", no_args_is_help=True)

RunName = Annotated[str, typer.Argument(metavar="RUN", help="Name of the run.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print ProtoJSON, as the REST interface.")]


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
        answers.print(f"{run.name} {_state(run)}: {run.stats.total_steps:,} steps")
        answers.print(f"follow it with: lab runs watch {_id(run)}")
    _fail_if_failed(run if watch else None)


@app.command("list")
def list_runs(as_json: AsJson = False) -> None:
    """List all runs, newest first."""

    async def work() -> list[Run]:
        async with connect() as lab:
            return list(await lab.runs.list())

    runs = asyncio.run(work())
    if as_json:
        return json_of(runs)
    if not runs:
        return answers.print("no runs yet; start one with: lab runs start --config nano")
    table(
        ("run", "state", ">step", ">of", ">loss", ">val loss", ">tok/s", "preset", "corpus"),
        [
            (
                _id(run),
                _state(run),
                f"{run.stats.step:,}",
                f"{run.stats.total_steps:,}",
                number(run.stats.loss if run.stats.HasField("loss") else None),
                number(
                    run.stats.validation_loss if run.stats.HasField("validation_loss") else None
                ),
                number(run.stats.tokens_per_sec or None, 0),
                run.preset,
                run.spec.data.corpus,
            )
            for run in runs
        ],
    )


@app.command()
def show(
    run: RunName,
    as_json: AsJson = False,
    as_yaml: Annotated[
        bool, typer.Option("--yaml", help="Print the spec alone, for --yaml of another run.")
    ] = False,
) -> None:
    """Show one run and its spec."""

    async def work() -> Run:
        async with connect() as lab:
            return await lab.runs.get(run)

    found = asyncio.run(work())
    if as_json:
        return json_of(found)
    if as_yaml:
        sys.stdout.write(run_to_yaml(found.preset, found.spec))
        return
    stats = found.stats
    pairs(
        [
            ("run", found.name),
            ("title", found.display_name),
            ("state", f"{_state(found)} {found.state_reason}".strip()),
            ("allowed", ", ".join(_verb(verb) for verb in found.allowed_verbs) or "nothing"),
            ("step", f"{stats.step:,} of {stats.total_steps:,}"),
            ("tokens", f"{stats.tokens:,}"),
            ("loss", number(stats.loss if stats.HasField("loss") else None, 4)),
            (
                "val loss",
                number(stats.validation_loss if stats.HasField("validation_loss") else None, 4),
            ),
            ("elapsed", duration(stats.elapsed_secs)),
            ("parameters", f"{stats.parameters:,}"),
            ("checkpoint", found.latest_checkpoint or "none"),
            *([("forked from", found.parent.checkpoint)] if found.HasField("parent") else []),
            *([("resumed", f"{found.restarts} times by itself")] if found.restarts else []),
            ("exact", "; ".join(found.inexact_reasons) or "yes, bit for bit"),
        ]
    )
    answers.print()
    answers.print(spec_to_yaml(found.spec).rstrip())


@app.command()
def watch(run: RunName) -> None:
    """Follow a run to its end, on one line. Ctrl-C stops watching, not the run."""

    async def work() -> Run:
        async with connect() as lab:
            return await follow(lab, run)

    _fail_if_failed(asyncio.run(work()))


@app.command()
def pause(run: RunName) -> None:
    """Halt at the next step boundary."""

    async def work() -> Run:
        async with connect() as lab:
            return await lab.runs.pause(run)

    _tell(asyncio.run(work()))


@app.command()
def resume(run: RunName) -> None:
    """Go on from a pause, or from the last checkpoint."""

    async def work() -> Run:
        async with connect() as lab:
            return await lab.runs.resume(run)

    _tell(asyncio.run(work()))


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
            return await follow(lab, _id(run)) if watch else run

    run = asyncio.run(work())
    if watch:
        return _fail_if_failed(run)
    _tell(run)


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


@app.command()
def step(
    run: RunName, steps: Annotated[int, typer.Argument(min=1, max=10_000, help="How many.")] = 1
) -> None:
    """Make a few steps of a paused run and pause again."""

    async def work() -> Run:
        async with connect() as lab:
            return await lab.runs.advance(run, steps)

    _tell(asyncio.run(work()))


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

    _tell(asyncio.run(work()))


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


def _fail_if_failed(run: Run | None) -> None:
    if run and run.state in (RunState.RUN_STATE_FAILED, RunState.RUN_STATE_INTERRUPTED):
        raise typer.Exit(1)


def _tell(run: Run) -> None:
    answers.print(f"{run.name} {_state(run)} at step {run.stats.step:,}")


def _id(run: Run) -> str:
    return run.name.removeprefix("runs/")


def _state(run: Run) -> str:
    return RunState.Name(run.state).removeprefix("RUN_STATE_").lower()


def _verb(verb: RunVerb.ValueType) -> str:
    return RunVerb.Name(verb).removeprefix("RUN_VERB_").lower()
