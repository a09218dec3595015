"""Which runs there are, what one is, and how it goes on."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from lab.cli.output import answers, duration, json_of, moment, number, pairs, table
from lab.cli.runs.command import (
    AsJson,
    RunName,
    app,
    fail_if_failed,
    run_id,
    state_of,
)
from lab.cli.runs.watch import follow
from lab.client import connect
from lab.run_state import verb_word
from lab.spec import run_to_yaml, spec_to_yaml
from lab.v1.run_pb2 import Run
from lab.v1.trainer_service_pb2 import QueuedRun


@app.command("list")
def list_runs(
    as_json: AsJson = False,
    trash: Annotated[bool, typer.Option("--trash", help="What was deleted instead.")] = False,
) -> None:
    """List all runs, newest first."""

    async def work() -> list[Run]:
        async with connect() as lab:
            return list(await lab.runs.list(trashed=trash))

    runs = asyncio.run(work())
    if as_json:
        return json_of(runs)
    if not runs:
        return answers.print(
            "the trash is empty"
            if trash
            else "no runs yet; start one with: lab runs start --config nano"
        )
    table(
        ("run", "state", ">step", ">of", ">loss", ">val loss", ">tok/s", "preset", "corpus")
        + (("gone",) if trash else ()),
        [
            (
                run_id(run),
                state_of(run),
                f"{run.stats.step:,}",
                f"{run.stats.total_steps:,}",
                number(run.stats.loss if run.stats.HasField("loss") else None),
                number(
                    run.stats.validation_loss if run.stats.HasField("validation_loss") else None
                ),
                number(run.stats.tokens_per_sec or None, 0),
                run.preset,
                run.spec.data.corpus,
                *([moment(run.expire_time)] if trash else []),
            )
            for run in runs
        ],
    )


@app.command()
def queue(as_json: AsJson = False) -> None:
    """List who waits for a device slot, and for how long as far as that is measured."""

    async def work() -> list[QueuedRun]:
        async with connect() as lab:
            return list(await lab.runs.queue())

    waiting = asyncio.run(work())
    if as_json:
        return json_of(waiting)
    if not waiting:
        return answers.print("nobody waits")
    table(
        ("run", ">starts in", ">takes", "note"),
        [
            (
                each.run.removeprefix("runs/"),
                duration(each.starts_in_secs) if each.HasField("starts_in_secs") else "unknown",
                duration(each.takes_secs) if each.HasField("takes_secs") else "unknown",
                each.unknown_because,
            )
            for each in waiting
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
            ("state", f"{state_of(found)} {found.state_reason}".strip()),
            ("allowed", ", ".join(verb_word(verb) for verb in found.allowed_verbs) or "nothing"),
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

    fail_if_failed(asyncio.run(work()))
