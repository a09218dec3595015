"""How the command writes: one console for answers, one for errors, tables and JSON the same way."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Nothing is cut off when the reader is a program.
_PIPE_COLUMNS = 400
_TURNING = (
    "\N{RIGHT-TO-LEFT OVERRIDE}\N{LEFT-TO-RIGHT OVERRIDE}\N{RIGHT-TO-LEFT EMBEDDING}"
    "\N{LEFT-TO-RIGHT EMBEDDING}\N{RIGHT-TO-LEFT ISOLATE}\N{LEFT-TO-RIGHT ISOLATE}"
)

answers = Console(
    highlight=False, markup=False, width=None if sys.stdout.isatty() else _PIPE_COLUMNS
)
errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def plain(text: str) -> str:
    r"""Text from a model or a file, harmless on a terminal: ESC is shown as \x1b and does nothing.

    Control characters but line break and tab, and those that turn the direction of writing around.
    """
    return "".join(
        each.encode("unicode_escape").decode()
        if (unicodedata.category(each) == "Cc" and each not in "\n\t") or each in _TURNING
        else each
        for each in text
    )


def table(headings: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """A heading that begins with ">" is a column of numbers. Line breaks are shown, not made."""
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in headings:
        drawn.add_column(
            _cell(heading.removeprefix(">")),
            justify="right" if heading.startswith(">") else "left",
            overflow="fold",
        )
    for row in rows:
        drawn.add_row(*(_cell(cell) if isinstance(cell, str) else cell for cell in row))
    answers.print(drawn)


def _cell(text: str) -> Text:
    return Text(plain(text).replace("\n", "↵"))


def pairs(values: Iterable[tuple[str, str]]) -> None:
    """Names and values, one pair a line."""
    drawn = Table(box=None, show_header=False, pad_edge=False)
    drawn.add_column(style="dim")
    drawn.add_column(overflow="fold")
    for name, value in values:
        drawn.add_row(Text(name), Text(plain(value)))
    answers.print(drawn)


def json_of(value: Message | Sequence[Message]) -> None:
    """ProtoJSON, as the REST interface answers."""
    plain: Any = (
        json_format.MessageToDict(value)
        if isinstance(value, Message)
        else [json_format.MessageToDict(message) for message in value]
    )
    sys.stdout.write(json.dumps(plain, indent=2, ensure_ascii=False) + "\n")


def moment(time: Timestamp) -> str:
    return f"{time.ToDatetime():%Y-%m-%d %H:%M:%S}"


def number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def size(count_bytes: int) -> str:
    value = float(count_bytes)
    for unit in ("B", "KB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def duration(secs: float) -> str:
    minutes, seconds = divmod(round(secs), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
