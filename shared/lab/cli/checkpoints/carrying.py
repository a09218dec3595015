"""Out of the lab, in from elsewhere, and back from the bucket."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from lab.cli.checkpoints.command import Name, app
from lab.cli.output import answers
from lab.client import connect
from lab.v1.checkpoint_pb2 import Checkpoint


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


@app.command()
def fetch(checkpoint: Name) -> None:
    """Bring a checkpoint back from the bucket."""

    async def work() -> Checkpoint:
        async with connect() as lab:
            return await lab.checkpoints.fetch(checkpoint)

    answers.print(f"{asyncio.run(work()).name} is back")
