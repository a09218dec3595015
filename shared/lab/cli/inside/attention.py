"""`lab attention`: what each token of a text attends to, as a table, CSV, JSON, PNG or tensors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from lab.cli.inside.asking import Compare, Csv, Png, Read, Source, Start, Tensors, ask
from lab.cli.inside.report import Report, deliver, number, write
from lab.cli.output import answers, table
from lab.client.arrays import arrays
from lab.v1.analysis_service_pb2 import AttentionKind, AttentionQuestion
from lab.v1.tensor_pb2 import DTYPE_FLOAT32, NamedTensor

SHOWN_TOKENS = 16  # more columns than this do not fit beside each other


class Kind(StrEnum):
    """As AttentionKind."""

    weights = "weights"
    mean = "mean"
    rollout = "rollout"
    value_weighted = "value-weighted"


_ABOUT = {
    Kind.weights: "each row is a token, its weights sum to 1",
    Kind.mean: "the average over the heads of the layer",
    Kind.rollout: "whose embedding a token's stream is made of after so many layers",
    Kind.value_weighted: "weight times the length of what the head writes for that token",
}


def attention(
    source: Source,
    text: Read,
    layer: Annotated[int, typer.Option(min=0, help="From 0.")] = 0,
    head: Annotated[int, typer.Option(min=0, help="From 0.")] = 0,
    kind: Annotated[Kind, typer.Option(help="Which matrix.")] = Kind.weights,
    hide_sink: Annotated[
        bool, typer.Option("--hide-sink", help="Leave out the first token, where heads rest.")
    ] = False,
    start: Start = False,
    compare: Compare = None,
    as_json: Annotated[
        Path | None, typer.Option("--json", help="Write JSON to this file; - is the output.")
    ] = None,
    as_csv: Csv = None,
    as_png: Png = None,
    as_tensors: Tensors = None,
) -> None:
    """Show one attention map: a row per token, the tokens it attends to as columns.

    A weight says where a head looked, not what mattered.
    """
    question = AttentionQuestion(
        layers=[layer],
        heads=[head],
        kind=AttentionKind.Value(f"ATTENTION_KIND_{kind.name.upper()}"),
        hide_sink=hide_sink,
        dtype=DTYPE_FLOAT32,
    )
    answer = ask(source, question, text, compare=compare, start=start)
    tokens = [token.text for token in answer.tokens]
    rows = _map(answer.tensors)
    where = f"layer {layer}" + (f", head {head}" if kind in _BY_HEAD else "")
    about = _ABOUT[kind]
    if hide_sink:
        about += "; without the first token, the rest of each row taken as a whole"
    if compare:
        about = "the other model's less this one's, so each row sums to 0 where both sum to 1"
        theirs = _map(answer.other_tensors)
        rows = [
            [b - a for a, b in zip(*pair, strict=True)] for pair in zip(rows, theirs, strict=True)
        ]
    report = Report(
        f"{where}: {about}",
        ["query", *tokens],
        [
            [token, *(f"{weight:.6g}" for weight in row)]
            for token, row in zip(tokens, rows, strict=True)
        ],
        picture=rows,
        root=not compare,
    )
    if as_json:
        document = {"layer": layer, "head": head, "tokens": tokens, "weights": rows}
        write(as_json, (json.dumps(document, ensure_ascii=False) + "\n").encode())
    if as_csv or as_png or as_tensors:
        deliver(answer, report, as_csv=as_csv, as_png=as_png, as_tensors=as_tensors)
    elif not as_json:
        _draw(tokens, rows, title=report.title, signed=bool(compare))
        if compare:
            apart = arrays(answer.differences)["js"].flat
            answers.print(
                f"the other model's rows lie {sum(apart) / len(apart):.4f} nats from these on "
                "average (Jensen-Shannon; 0 equal, 0.693 nothing in common)"
            )


_BY_HEAD = (Kind.weights, Kind.value_weighted)


def _map(tensors: Iterable[NamedTensor]) -> list[list[float]]:
    """The one map that was asked for, query by query."""
    return arrays(tensors)["weights"].part(0, 0).rows()


def _draw(
    tokens: Sequence[str], rows: Sequence[Sequence[float]], *, title: str, signed: bool
) -> None:
    shown = min(len(tokens), SHOWN_TOKENS)
    answers.print(title)
    table(
        ("token", *(f">{token.strip() or '␣'}" for token in tokens[:shown])),
        [
            (
                tokens[query],
                *(_cell(rows[query][key], key <= query, signed) for key in range(shown)),
            )
            for query in range(shown)
        ],
    )
    if shown < len(tokens):
        answers.print(
            f"the first {shown} of {len(tokens)} tokens; --csv FILE or --json FILE has all"
        )


def _cell(weight: float, visible: bool, signed: bool) -> Text:
    """A weight on a block whose brightness is the weight's square root, as in the dashboard; what
    a second model gives more is orange, what it gives less purple."""
    if not visible:
        return Text("·", style="dim")
    heat = round(abs(weight) ** 0.5 * 255)
    if signed:
        red, green, blue = (heat, heat * 2 // 3, 0) if weight > 0 else (heat * 2 // 3, 0, heat)
        ink = "black" if heat > 140 and weight > 0 else "white"
        return Text(number(weight, 2, sign=True), style=f"{ink} on rgb({red},{green},{blue})")
    ink = "black" if heat > 140 else "white"
    return Text(f"{weight:.2f}", style=f"{ink} on rgb({heat},{heat * 3 // 4},{40 + heat // 4})")
