"""What there is, whether it is whole, and what it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from lab.cli.checkpoints.command import AsJson, Name, app
from lab.cli.output import answers, errors, json_of, moment, number, pairs, size, table
from lab.client import connect
from lab.names import holds_weights_only
from lab.v1.checkpoint_pb2 import BucketCopyState, Checkpoint
from lab.v1.checkpoint_service_pb2 import GetDiskUseResponse


@app.command("list")
def list_checkpoints(
    run: Annotated[str, typer.Argument(metavar="[RUN]", help="Only of this run.")] = "",
    trash: Annotated[bool, typer.Option("--trash", help="What was deleted instead.")] = False,
    bucket: Annotated[
        bool, typer.Option("--bucket", help="What the bucket holds instead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List checkpoints, newest first."""

    async def work() -> Sequence[Checkpoint]:
        async with connect() as lab:
            return await lab.checkpoints.list(run, trashed=trash, in_bucket=bucket)

    found = asyncio.run(work())
    if as_json:
        return json_of(found)
    if not found:
        empty = (
            "the trash is empty" if trash else "no checkpoints; write one with: lab runs save RUN"
        )
        return answers.print(empty)
    table(
        (
            "checkpoint",
            ">step",
            ">loss",
            ">val loss",
            ">size",
            "holds",
            "saved",
            "gone" if trash else "pinned",
        ),
        [
            (
                checkpoint.name,
                f"{checkpoint.step:,}",
                number(checkpoint.loss if checkpoint.HasField("loss") else None),
                number(
                    checkpoint.validation_loss if checkpoint.HasField("validation_loss") else None
                ),
                size(checkpoint.size_bytes),
                "weights" if holds_weights_only(checkpoint.name) else "all",
                moment(checkpoint.create_time),
                moment(checkpoint.expire_time) if trash else "pinned" * checkpoint.pinned,
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
            ("saved because", found.saved_because or "–"),
            ("resumes", _resumes(found)),
            ("whole", _verdict(found)),
            *((("in the bucket", _copy(found)),) if found.HasField("bucket_copy") else ()),
            ("pinned", "yes" if found.pinned else "no"),
            *((f"label {key}", value) for key, value in sorted(found.labels.items())),
            *((("notes", found.notes),) if found.notes else ()),
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
def disk(as_json: AsJson = False) -> None:
    """Show how much of the disk checkpoints take."""

    async def work() -> GetDiskUseResponse:
        async with connect() as lab:
            return await lab.checkpoints.disk_use()

    use = asyncio.run(work())
    if as_json:
        return json_of(use)
    table(
        ("run", ">checkpoints", ">size", ">pinned"),
        [
            (each.run, f"{each.checkpoints:,}", size(each.size_bytes), size(each.pinned_bytes))
            for each in use.runs
        ],
    )
    answers.print(
        f"{size(use.size_bytes)} saved, {size(use.trash_bytes)} in the trash, "
        f"{size(use.free_bytes)} free"
    )


def _resumes(checkpoint: Checkpoint) -> str:
    if holds_weights_only(checkpoint.name):
        return "no: it holds weights only"
    return "; ".join(checkpoint.inexact_reasons) or "bit for bit"


def _verdict(checkpoint: Checkpoint) -> str:
    if checkpoint.damage:
        return f"no: {'; '.join(checkpoint.damage)}"
    if not checkpoint.HasField("verify_time"):
        return "not looked at again since it was saved"
    return f"yes, on {moment(checkpoint.verify_time)}"


def _copy(checkpoint: Checkpoint) -> str:
    copy = checkpoint.bucket_copy
    state = BucketCopyState.Name(copy.state).removeprefix("BUCKET_COPY_STATE_").lower()
    return f"{state}, {copy.failures} failed: {copy.error}" if copy.error else state
