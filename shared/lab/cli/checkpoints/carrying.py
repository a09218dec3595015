"""Out of the lab, in from elsewhere, and back from the bucket."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer

from lab.cli.checkpoints import book
from lab.cli.checkpoints.command import Name, app
from lab.cli.output import answers
from lab.client import connect
from lab.errors import InvalidArgument
from lab.v1.checkpoint_pb2 import Checkpoint

_PICKLED: Final = (".pth", ".pt", ".ckpt", ".bin", ".pkl")  # the usual names of such files


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
    weights: Annotated[
        Path,
        typer.Argument(
            help="A folder with config.json and model.safetensors, or weights of the book's "
            "GPTModel as one .safetensors file."
        ),
    ],
    name: Annotated[
        str, typer.Option("--name", help="As in gpt2; that of the folder or file if left out.")
    ] = "",
    heads: Annotated[
        int | None,
        typer.Option(
            min=1, help="Of the book's model, where each is not 64 wide: no weight tells them."
        ),
    ] = None,
) -> None:
    """Bring in GPT-2 weights of Hugging Face or of the book, to look into and generate from."""
    name = name or weights.resolve().name.removesuffix(".safetensors")

    async def bring_in(folder: Path) -> Checkpoint:
        async with connect() as lab:
            return await lab.checkpoints.bring_in(folder, name)

    def work() -> Checkpoint:
        if not book.is_book(weights):
            if weights.suffix in _PICKLED:
                raise InvalidArgument.field(
                    "weights",
                    f"{weights} is pickled: to read it could run any program, so it is never "
                    "opened here; write it again with "
                    'safetensors.torch.save_file(model.state_dict(), "mine.safetensors")',
                )
            if weights.is_file() and not book.names_in(weights):
                raise InvalidArgument.field(
                    "weights",
                    f"{weights} is no safetensors file, whatever its name: it does not begin with "
                    "a list of tensors; only safetensors is read",
                )
            if weights.is_file():
                raise InvalidArgument.field(
                    "weights",
                    f"{weights} is one file, and not in the layout of the book's GPTModel; give "
                    "the folder that has its config.json beside it",
                )
            return asyncio.run(bring_in(weights))
        with book.converted(weights, heads=heads) as folder:
            return asyncio.run(bring_in(folder))

    found = work()
    short = f"imports/{found.name.rpartition('/')[2]}"
    answers.print(f"{short} is there; try it with: lab generate {short} --prompt TEXT")


@app.command()
def fetch(checkpoint: Name) -> None:
    """Bring a checkpoint back from the bucket."""

    async def work() -> Checkpoint:
        async with connect() as lab:
            return await lab.checkpoints.fetch(checkpoint)

    answers.print(f"{asyncio.run(work()).name} is back")
