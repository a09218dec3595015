"""Files of tokens: a header of 1,024 bytes, then little-endian uint16, as llm.c reads them.

The header is 256 little-endian int32: a magic number, the version, the number of tokens, the bytes
of each. A file is whole when its size is what its header says.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from lab.errors import Damaged

SHARD_TOKENS = 100_000_000
HEADER_BYTES = 1_024
TOKEN_BYTES = 2
_MAGIC, _VERSION = 20_240_520, 1


@dataclass(frozen=True)
class Shard:
    """One file of a corpus. The hash is that of its tokens, the header left out."""

    file: str
    tokens: int
    sha256: str


class ShardWriter:
    """Appends tokens to one shard after the other; nothing counts before `close` was called."""

    def __init__(self, folder: Path, *, shard_tokens: int = SHARD_TOKENS) -> None:
        self._folder = folder
        self._shard_tokens = shard_tokens
        self._shards: list[Shard] = []
        self._file: BinaryIO | None = None
        self._hash = hashlib.sha256()
        self._in_file = 0
        self._whole = hashlib.sha256()
        self.tokens = 0

    @property
    def fingerprint(self) -> str:
        """Names the token stream, whatever files it lies in."""
        return self._whole.hexdigest()

    def write(self, tokens: bytes) -> None:
        view = memoryview(tokens)
        self._whole.update(view)
        self.tokens += len(view) // TOKEN_BYTES
        while view:
            if self._file is None:
                self._file = (self._folder / _name(len(self._shards))).open("xb")
                self._file.write(bytes(HEADER_BYTES))
                self._hash, self._in_file = hashlib.sha256(), 0
            part = view[: (self._shard_tokens - self._in_file) * TOKEN_BYTES]
            self._file.write(part)
            self._hash.update(part)
            self._in_file += len(part) // TOKEN_BYTES
            if self._in_file == self._shard_tokens:
                self._finish()
            view = view[len(part) :]

    def close(self) -> tuple[Shard, ...]:
        """Every shard, on disk for good."""
        if self._file is not None:
            self._finish()
        return tuple(self._shards)

    def abandon(self) -> None:
        """Lets go of a shard that will not be finished."""
        if self._file is not None:
            self._file.close()

    def _finish(self) -> None:
        assert self._file is not None
        self._file.seek(0)
        self._file.write(_header(self._in_file))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None
        name = _name(len(self._shards))
        self._shards.append(Shard(name, self._in_file, self._hash.hexdigest()))


def open_shard(folder: Path, shard: Shard) -> NDArray[np.uint16]:
    """The tokens, mapped into memory; raises Damaged when the file is not what it should be."""
    path = folder / shard.file
    expected = HEADER_BYTES + shard.tokens * TOKEN_BYTES
    size = path.stat().st_size if path.is_file() else 0
    if size != expected:
        raise damaged(folder, f"{shard.file} has {size:,} bytes instead of {expected:,}")
    with path.open("rb") as file:
        if file.read(HEADER_BYTES) != _header(shard.tokens):
            raise damaged(folder, f"the header of {shard.file} does not fit it")
    return np.memmap(path, dtype="<u2", mode="r", offset=HEADER_BYTES, shape=(shard.tokens,))


def damaged(folder: Path, problem: str) -> Damaged:
    return Damaged(
        f"corpus {folder.name}: {problem}; prepare it again with: lab corpora prepare "
        f"{folder.name} (one that you added: remove it and add it again)"
    )


def _name(index: int) -> str:
    return f"tokens-{index:05d}.bin"


def _header(tokens: int) -> bytes:
    header = np.zeros(HEADER_BYTES // 4, dtype="<i4")
    header[:4] = _MAGIC, _VERSION, tokens, TOKEN_BYTES
    return header.tobytes()
