"""Tells by content, not by name, whether a file is safetensors, without opening its tensors.

A safetensors file is 8 bytes of length (little-endian), that many bytes of JSON, then the tensors
back to back. A pickle renamed to .safetensors fails here, before anybody reads it.
"""

import json
from pathlib import Path
from typing import Any

from lab.errors import InvalidArgument

MAX_JSON_BYTES = 16 << 20  # the library itself stops at 100 MB; our largest model needs 30 KB


def check(path: Path) -> None:
    """Raises InvalidArgument saying why `path` is not a whole safetensors file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        json_bytes = int.from_bytes(file.read(8), "little")
        if not 2 <= json_bytes <= min(MAX_JSON_BYTES, size - 8):
            raise _refusal(path, f"its header claims {json_bytes} bytes")
        try:
            header = json.loads(file.read(json_bytes), object_pairs_hook=_without_duplicates)
            spans = sorted(_span(entry) for name, entry in header.items() if name != "__metadata__")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise _refusal(path, "its header cannot be read") from error
    end = 0
    for begin, following in spans:
        if begin != end or following < begin:
            raise _refusal(path, "its tensors overlap or leave a gap")
        end = following
    if 8 + json_bytes + end != size:
        raise _refusal(path, f"its tensors end at byte {8 + json_bytes + end} of {size}")


def _span(entry: dict[str, Any]) -> tuple[int, int]:
    begin, end = entry["data_offsets"]
    if type(begin) is not int or type(end) is not int:
        raise TypeError("an offset is not a whole number")
    return begin, end


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key appears twice")
    return dict(pairs)


def _refusal(path: Path, why: str) -> InvalidArgument:
    return InvalidArgument.field(
        "files", f"{path.name} is not a safetensors file: {why}; checkpoints are safetensors only"
    )
