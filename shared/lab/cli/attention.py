"""`lab attention`: what each token of a text attends to, as a table, JSON or CSV."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from lab.cli.generate import Source
from lab.cli.output import answers, table
from lab.client import connect
from lab.errors import InvalidArgument
from lab.v1.analysis_service_pb2 import GetAttentionResponse

SHOWN_TOKENS = 16  # more columns than this do not fit beside each other


def attention(
    source: Source,
    text: Annotated[str, typer.Option(help="What the model reads.")],
    layer: Annotated[int, typer.Option(min=0, help="From 0.")] = 0,
    head: Annotated[int, typer.Option(min=0, help="From 0.")] = 0,
    as_json: Annotated[
        Path | None, typer.Option("--json", help="Write JSON to this file; - is the output.")
    ] = None,
    as_csv: Annotated[
        Path | None, typer.Option("--csv", help="Write CSV to this file; - is the output.")
    ] = None,
) -> None:
    """Show one attention map: a row per token, the tokens it attends to as columns."""

    async def work() -> GetAttentionResponse:
        async with connect() as lab:
            model = await lab.models.load(source)
            return await lab.models.attention(model, text, layers=[layer], heads=[head])

    answer = asyncio.run(work())
    tokens = [token.text for token in answer.tokens]
    rows = _rows(answer)
    if as_json:
        document = {"layer": layer, "head": head, "tokens": tokens, "weights": rows}
        _write(as_json, json.dumps(document, ensure_ascii=False) + "\n")
    if as_csv:
        _write(as_csv, _csv(tokens, rows))
    if not as_json and not as_csv:
        _draw(tokens, rows, layer=layer, head=head)


def _rows(answer: GetAttentionResponse) -> list[list[float]]:
    """The one map of the answer: [query][key]."""
    count = len(answer.tokens)
    flat = struct.unpack(f"<{count * count}f", answer.weights.data)
    return [list(flat[row * count : (row + 1) * count]) for row in range(count)]


def _csv(tokens: Sequence[str], rows: Sequence[Sequence[float]]) -> str:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(["query", *tokens])
    for token, row in zip(tokens, rows, strict=True):
        writer.writerow([token, *(f"{weight:.6g}" for weight in row)])
    return written.getvalue()


def _draw(tokens: Sequence[str], rows: Sequence[Sequence[float]], *, layer: int, head: int) -> None:
    shown = min(len(tokens), SHOWN_TOKENS)
    answers.print(f"layer {layer}, head {head}: each row is a token, its weights sum to 1")
    table(
        ("token", *(f">{token.strip() or '␣'}" for token in tokens[:shown])),
        [
            (tokens[query], *(_cell(rows[query][key], key <= query) for key in range(shown)))
            for query in range(shown)
        ],
    )
    if shown < len(tokens):
        answers.print(
            f"the first {shown} of {len(tokens)} tokens; --csv FILE or --json FILE has all"
        )


def _cell(weight: float, visible: bool) -> Text:
    """A weight on a block whose brightness is the weight's square root, as in the dashboard."""
    if not visible:
        return Text("·", style="dim")
    heat = round(weight**0.5 * 255)
    ink = "black" if heat > 140 else "white"
    return Text(f"{weight:.2f}", style=f"{ink} on rgb({heat},{heat * 3 // 4},{40 + heat // 4})")


def _write(path: Path, text: str) -> None:
    if str(path) == "-":
        sys.stdout.write(text)
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidArgument(f"{path} cannot be written: {error.strerror}") from error
