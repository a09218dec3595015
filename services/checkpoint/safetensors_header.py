"""Tells by content, not by name, whether a file is safetensors, without opening its tensors.

A safetensors file is 8 bytes of length (little-endian), that many bytes of JSON, then the tensors
back to back. A pickle renamed to .safetensors fails here, before anybody reads it.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from lab.errors import InvalidArgument

MAX_JSON_BYTES = 1 << 20  # the library itself stops at 100 MB; our largest model needs 30 KB
# How other formats begin, so that the refusal can name them.
_FOREIGN = (
    (b"PK", "a zip archive, as torch.save and numpy.savez write"),
    (b"\x80", "a pickle"),
    (b"\x89HDF", "an HDF5 file"),
    (b"GGUF", "a GGUF file"),
    (b"\x93NUMPY", "a numpy file"),
)


@dataclass(frozen=True)
class Header:
    """What tensors a file holds, by name, as its JSON says; and where their bytes begin."""

    entries: Mapping[str, Any]
    data_begin: int


def check(path: Path) -> Header:
    """The header; raises InvalidArgument saying why `path` is not a whole safetensors file."""
    with path.open("rb") as file:
        return read(file, path.name)


def read(file: BinaryIO, name: str) -> Header:
    """As `check`, of a file that is open at its start."""
    size = os.fstat(file.fileno()).st_size
    begins = file.read(8)
    json_bytes = int.from_bytes(begins, "little")
    for magic, format_name in _FOREIGN:
        # One byte decides nothing: a header of 128 bytes begins with that of a pickle.
        if begins.startswith(magic) and json_bytes > MAX_JSON_BYTES:
            raise _refusal(name, f"it is {format_name}")
    if not 2 <= json_bytes <= min(MAX_JSON_BYTES, size - 8):
        raise _refusal(name, f"its header claims {json_bytes} bytes")
    try:
        header = json.loads(file.read(json_bytes), object_pairs_hook=_without_duplicates)
        spans = sorted(_span(entry) for key, entry in header.items() if key != "__metadata__")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _refusal(name, "its header cannot be read") from error
    end = 0
    for begin, following in spans:
        if begin != end or following < begin:
            raise _refusal(name, "its tensors overlap or leave a gap")
        end = following
    if 8 + json_bytes + end != size:
        raise _refusal(name, f"its tensors end at byte {8 + json_bytes + end} of {size}")
    return Header(header, data_begin=8 + json_bytes)


def _span(entry: dict[str, Any]) -> tuple[int, int]:
    begin, end = entry["data_offsets"]
    if type(begin) is not int or type(end) is not int:
        raise TypeError("an offset is not a whole number")
    return begin, end


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key appears twice")
    return dict(pairs)


def _refusal(name: str, why: str) -> InvalidArgument:
    return InvalidArgument.field(
        "files", f"{name} is not a safetensors file: {why}; checkpoints are safetensors only"
    )
