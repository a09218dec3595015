"""Weights in the layout of the book's GPTModel on their way in: told by their names, and turned
into Hugging Face's layout by a process that has torch, which neither this one nor the checkpoint
service loads. What comes out passes the service's checks like any other import."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lab.errors import InvalidArgument
from lab.manifest import WEIGHTS

_MAX_HEADER_BYTES: Final = 1 << 20  # as the checkpoint service
_OF_THE_BOOK: Final = frozenset(("tok_emb.weight", "trf_blocks.0.att.W_query.weight"))


def is_book(source: Path) -> bool:
    """Whether a file, or the model.safetensors of a folder, names its weights as the book does."""
    return names_in(weights_of(source)) >= _OF_THE_BOOK


def weights_of(source: Path) -> Path:
    return source / WEIGHTS if source.is_dir() else source


def names_in(weights: Path) -> set[str]:
    """The tensors of a safetensors file; none of what is no such file."""
    try:
        with weights.open("rb") as file:
            header_bytes = int.from_bytes(file.read(8), "little")
            found = json.loads(file.read(min(header_bytes, _MAX_HEADER_BYTES)))
    except (OSError, ValueError, RecursionError):
        return set()
    return set(found) if isinstance(found, dict) else set()


@contextlib.contextmanager
def converted(source: Path, *, heads: int | None) -> Iterator[Path]:
    """A folder in Hugging Face's layout, for as long as it is needed."""
    with tempfile.TemporaryDirectory(prefix="lab-import-") as folder:
        command = [sys.executable, "-m", "lab.model.from_book", str(weights_of(source)), folder]
        if heads is not None:
            command += ["--heads", str(heads)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["the weights could not be converted"]
            raise InvalidArgument.field("weights", said[-1])
        yield Path(folder)
