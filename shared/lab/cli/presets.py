"""`lab presets`: what can be trained without writing a spec, and where a model's parameters are."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.cli.output import answers, json_of, table
from lab.errors import NotFound
from lab.spec import load_presets
from lab.v1.preflight_pb2 import ParameterPart
from lab.v1.trainer_service_pb2 import Preset


def presets(
    preset: Annotated[
        str, typer.Argument(metavar="[PRESET]", help="As in nano; all when left out.")
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print ProtoJSON, as the REST interface.")
    ] = False,
) -> None:
    """List the presets, or show where the parameters of one are."""
    known = load_presets()
    if not preset:
        return json_of(list(known.values())) if as_json else _list(known)
    if preset not in known:
        raise NotFound(f'there is no preset "{preset}"; known are {", ".join(known)}')
    if as_json:
        return json_of(known[preset])
    _show(known[preset])


def _list(known: dict[str, Preset]) -> None:
    table(
        ("preset", ">parameters", "shape", "what it is for"),
        [
            (each.name, f"{each.parameters:,}", shape(each), each.description)
            for each in known.values()
        ],
    )


def _show(preset: Preset) -> None:
    parts = list(preset.parameter_parts)
    total = ParameterPart(
        name="all", parameters=preset.parameters, per_block=sum(part.per_block for part in parts)
    )
    answers.print(f"{preset.name}: {shape(preset)}")
    table(
        ("part", ">parameters", ">share", ">per block"),
        [
            (
                part.name,
                f"{part.parameters:,}",
                f"{part.parameters / preset.parameters:.1%}",
                f"{part.per_block:,}" if part.per_block else "–",
            )
            for part in [*parts, total]
        ],
    )
    if preset.spec.model.tied:
        answers.print("The output head is tied: it is the token embedding, used a second time.")


def shape(preset: Preset) -> str:
    model = preset.spec.model
    return (
        f"{model.layers} blocks, width {model.width}, {model.heads} heads, "
        f"context {model.context}, vocabulary {model.vocab_size:,}"
    )
