"""The arguments that all questions share, and how they are asked."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from lab.cli.generate import Source
from lab.cli.output import errors
from lab.client import connect
from lab.client.models import Question
from lab.errors import InvalidArgument
from lab.v1 import analysis_service_pb2 as messages
from lab.v1.analysis_service_pb2 import AnalyseResponse
from lab.v1.model_pb2 import LoadedModel

Read = Annotated[str, typer.Option("--text", help="What the model reads.")]
MayRead = Annotated[str, typer.Option("--text", help="Look at this text too; not needed.")]
Start = Annotated[
    bool,
    typer.Option("--start", help="Put the end-of-text token first, as training does."),
]
Compare = Annotated[
    str | None,
    typer.Option("--compare", metavar="SOURCE", help="A second model, for the differences."),
]
Csv = Annotated[Path | None, typer.Option("--csv", help="Write the whole table; - is the output.")]
Png = Annotated[Path | None, typer.Option("--png", help="Write a picture, one square a number.")]
Tensors = Annotated[
    Path | None, typer.Option("--safetensors", help="Write all arrays, exactly as they came.")
]

# Their answers go by layer and head: a difference needs as many of each in both models.
_BY_LAYER_AND_HEAD = (
    messages.ActivationQuestion,
    messages.AttributionQuestion,
    messages.HeadQuestion,
    messages.LensQuestion,
)

__all__ = [
    "Compare",
    "Csv",
    "MayRead",
    "Png",
    "Read",
    "Source",
    "Start",
    "Tensors",
    "ask",
    "token_id",
]


def check_text(text: str) -> None:
    """Python hands bytes of an argument that are no UTF-8 on as half characters (PEP 383)."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgument.field(
            "text", f"is not UTF-8: the bytes after character {error.start} are none; re-encode it"
        ) from error


def check_alike(model: LoadedModel, other: LoadedModel, question: Question) -> None:
    """Refuses a difference where one model has what the other lacks."""
    shapes = [f"{one.spec.layers} × {one.spec.heads}" for one in (model, other)]
    if isinstance(question, _BY_LAYER_AND_HEAD) and shapes[0] != shapes[1]:
        raise InvalidArgument.field(
            "compare",
            f"has {shapes[1]} layers × heads and the model {shapes[0]}; differences go by both. "
            "Ask each alone, or compare tokens, maxima, embedding or neighbours",
        )


def ask(
    source: str, question: Question, text: str, *, compare: str | None = None, start: bool = False
) -> AnalyseResponse:
    """Loads the model or both and asks; says on the error output which weights answered."""
    check_text(text)

    async def work() -> AnalyseResponse:
        async with connect() as lab:
            model = await lab.models.load(source)
            other = await lab.models.load(compare) if compare else None
            for each in (model, other):
                if each is not None:
                    errors.print(f"{each.source} at step {each.step:,}", style="dim")
            if other is not None:
                check_alike(model, other, question)
            return await lab.models.analyse(
                model, question, text, other=other, after_end_of_text=start
            )

    return asyncio.run(work())


def token_id(given: str) -> int:
    """A token as people write it: its id, or its text."""
    if given.isdecimal():
        return int(given)
    check_text(given)

    async def work() -> int:
        async with connect() as lab:
            tokens = await lab.models.tokenize(given)
        if len(tokens) != 1:
            pieces = ", ".join(f'{token.id} "{token.text}"' for token in tokens[:8])
            raise InvalidArgument.field(
                "token", f"is {len(tokens)} tokens ({pieces}); give one of them, or its id"
            )
        return tokens[0].id

    return asyncio.run(work())
