"""`lab checkpoints`: what was saved, whether it is whole, what stays and what goes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from lab.cli.output import answers, errors, json_of, number, pairs, size, table
from lab.client import connect
from lab.errors import InvalidArgument
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.checkpoint_service_pb2 import ApplyRetentionResponse, GetDiskUseResponse

app = typer.Typer(help="Saved states: look, keep, delete, take along.", no_args_is_help=True)

Name = Annotated[
    str, typer.Argument(metavar="CHECKPOINT", help="RUN@STEP, imports/NAME, or its full name.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print ProtoJSON, as the REST interface.")]


@app.command("list")
def list_checkpoints(
    run: Annotated[str, typer.Argument(metavar="[RUN]", help="Only of this run.")] = "",
    trash: Annotated[bool, typer.Option("--trash", help="What was deleted instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """List checkpoints, newest first."""

    async def work() -> Sequence[Checkpoint]:
        async with connect() as lab:
            return await lab.checkpoints.list(run, trashed=trash)

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
                _moment(checkpoint.create_time),
                _moment(checkpoint.expire_time) if trash else "pinned" * checkpoint.pinned,
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
def pin(checkpoint: Name) -> None:
    """Keep a checkpoint: it is not deleted until it is unpinned."""
    asyncio.run(_update(checkpoint, pinned=True))
    answers.print(f"pinned {checkpoint}")


@app.command()
def unpin(checkpoint: Name) -> None:
    """Let a checkpoint be deleted again."""
    asyncio.run(_update(checkpoint, pinned=False))
    answers.print(f"unpinned {checkpoint}")


@app.command()
def note(
    checkpoint: Name, text: Annotated[str, typer.Argument(help='What to remember; "" for nothing.')]
) -> None:
    """Write a note to a checkpoint."""
    asyncio.run(_update(checkpoint, notes=text))
    answers.print(f"noted on {checkpoint}")


@app.command()
def label(
    checkpoint: Name,
    labels: Annotated[
        list[str], typer.Argument(metavar="NAME=TEXT...", help="NAME= removes the label.")
    ],
) -> None:
    """Set and remove labels of a checkpoint."""
    given = dict(_label(each) for each in labels)
    found = asyncio.run(_update(checkpoint, labels=given))
    answers.print(
        ", ".join(f"{key}={text}" for key, text in sorted(found.labels.items())) or "none"
    )


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
        f"moved {checkpoint} to the trash; until {_moment(trashed.expire_time)} take it back "
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


@app.command()
def export(
    checkpoint: Name,
    destination: Annotated[
        Path, typer.Argument(help="A new folder, or a new file ending with .safetensors.")
    ],
) -> None:
    """Copy a checkpoint out: a folder that transformers opens, or the weights as one file."""

    async def work() -> Checkpoint:
        async with connect() as lab:
            return await lab.checkpoints.export(checkpoint, destination)

    found = asyncio.run(work())
    answers.print(f"{found.name} is in {destination}")


@app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="With config.json and model.safetensors.")],
    name: Annotated[
        str, typer.Option("--name", help="As in gpt2; the folder's name if left out.")
    ] = "",
) -> None:
    """Bring in the weights of a Hugging Face GPT-2 folder, to look into and generate from."""

    async def work() -> Checkpoint:
        async with connect() as lab:
            return await lab.checkpoints.bring_in(folder, name or folder.resolve().name)

    found = asyncio.run(work())
    short = f"imports/{found.name.rpartition('/')[2]}"
    answers.print(f"{short} is there; try it with: lab generate {short} --prompt TEXT")


async def _update(
    checkpoint: str,
    *,
    pinned: bool | None = None,
    notes: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> Checkpoint:
    async with connect() as lab:
        return await lab.checkpoints.update(checkpoint, pinned=pinned, notes=notes, labels=labels)


def _label(given: str) -> tuple[str, str]:
    key, equals, text = given.partition("=")
    if not equals:
        raise InvalidArgument.field("label", f'"{given}" must have the form NAME=TEXT')
    return key, text


def _moment(time: Timestamp) -> str:
    return f"{time.ToDatetime():%Y-%m-%d %H:%M:%S}"
