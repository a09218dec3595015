"""An answer as a table on the screen, or as files that other programs read."""

from __future__ import annotations

import csv
import io
import json
import math
import struct
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.cli.output import answers, errors, table
from lab.client.arrays import arrays
from lab.errors import InvalidArgument
from lab.v1.analysis_service_pb2 import AnalyseResponse

SHOWN_ROWS = 24
_SQUARE = 8  # pixels a number's side takes in a picture, less in large ones
_LARGEST_SIDE = 2048  # of a picture, in pixels
# From dark to bright, evenly as the eye sees it: five points of matplotlib's "inferno".
_COLOURS = ((0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164))


@dataclass(frozen=True)
class Report:
    """`picture` is rows of numbers; the root of them is drawn where `root` says so."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    picture: Sequence[Sequence[float]] | None = None
    root: bool = False


def deliver(
    answer: AnalyseResponse,
    report: Report,
    *,
    as_csv: Path | None = None,
    as_png: Path | None = None,
    as_tensors: Path | None = None,
) -> None:
    """Writes the files that were asked for; the table when none was."""
    if as_csv:
        write(as_csv, csv_of(report).encode())
    if as_png:
        write(as_png, png_of(report))
    if as_tensors:
        write(as_tensors, tensors_of(answer))
    if not (as_csv or as_png or as_tensors):
        answers.print(report.title)
        table(report.headings, report.rows[:SHOWN_ROWS])
        if len(report.rows) > SHOWN_ROWS:
            answers.print(f"the first {SHOWN_ROWS} of {len(report.rows)} rows; --csv FILE has all")


def csv_of(report: Report) -> str:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([heading.removeprefix(">") for heading in report.headings])
    writer.writerows(report.rows)
    return written.getvalue()


def tensors_of(answer: AnalyseResponse) -> bytes:
    """A safetensors file: "NAME", and with two models "other.NAME" and "difference.NAME".

    The format is a length, a JSON header and the bytes; the package of that name would bring numpy,
    and its part without numpy wants memory addresses.
    """
    header: dict[str, Any] = {
        "__metadata__": {"digest": answer.digest, "step": str(answer.step), "format": "pt"}
    }
    data = bytearray()
    groups = {"": answer.tensors, "other.": answer.other_tensors, "difference.": answer.differences}
    for prefix, group in groups.items():
        for name, found in arrays(group).items():
            begin = len(data)
            data += found.little_endian()
            header[prefix + name] = {
                "dtype": "F32" if found.flat.typecode == "f" else "I32",
                "shape": list(found.shape),
                "data_offsets": [begin, len(data)],
            }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # so that the numbers begin at a multiple of 8
    return struct.pack("<Q", len(text)) + text + bytes(data)


def png_of(report: Report) -> bytes:
    """The picture, each number a square between the smallest (dark) and the largest (bright)."""
    if report.picture is None:
        raise InvalidArgument("this answer has no picture; --csv FILE or --safetensors FILE has it")
    height, width = len(report.picture), len(report.picture[0])
    values = [value if math.isfinite(value) else 0.0 for row in report.picture for value in row]
    if report.root:
        values = [max(value, 0.0) ** 0.5 for value in values]
    low, high = min(values), max(values)
    pixels = [_colour((value - low) / (high - low) if high > low else 0.0) for value in values]
    side = max(1, min(_SQUARE, _LARGEST_SIDE // max(height, width)))
    lines = []
    for row in range(height):
        squares = pixels[row * width : (row + 1) * width]
        line = b"\0" + b"".join(square * side for square in squares)  # 0: no filter
        lines.append(line * side)
    size = struct.pack(">IIBBBBB", width * side, height * side, 8, 2, 0, 0, 0)  # 8 bits, RGB
    chunks = ((b"IHDR", size), (b"IDAT", zlib.compress(b"".join(lines))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def write(path: Path, data: bytes) -> None:
    if str(path) == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        return
    try:
        path.write_bytes(data)
    except OSError as error:
        raise InvalidArgument(f"{path} cannot be written: {error.strerror}") from error
    errors.print(f"wrote {path}, {len(data):,} bytes", style="dim")


def number(value: float, digits: int = 3, *, sign: bool = False) -> str:
    """For a cell; empty where there is none. A zero has no sign unless all have."""
    if math.isnan(value):
        return ""
    rounded = round(value, digits) + 0.0  # -0.0 becomes 0.0
    return f"{rounded:{'+' if sign else ''}.{digits}f}"


def probability(value: float) -> str:
    """Two digits that count, because of 50,257 tokens the likeliest may have little."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _colour(share: float) -> bytes:
    """Between the two nearest points."""
    place = share * (len(_COLOURS) - 1)
    index = min(int(place), len(_COLOURS) - 2)
    part = place - index
    ends = zip(_COLOURS[index], _COLOURS[index + 1], strict=True)
    return bytes(round(one + (other - one) * part) for one, other in ends)
