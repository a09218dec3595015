"""A tokenised corpus on disk, opened as a training and a validation split.

The shards hold the documents in the order they were read. `documents.idx` says where each begins in
the token stream, `documents.key` holds the hash that decides its split: two rows of little-endian
uint64. So one set of files serves every validation_fraction, no document is in both splits, and a
document's split does not change when others come and go.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lab.errors import NotFound
from lab.text.corpus_manifest import BY_POSITION, CorpusManifest, read_manifest
from lab.text.shards import damaged, open_shard

STARTS_FILE, KEYS_FILE = "documents.idx", "documents.key"


class Tokens(Protocol):
    """A row of token ids that is read a slice at a time, as in a numpy array."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> NDArray[np.uint16]: ...


@dataclass(frozen=True)
class TokenSplits:
    """The two parts of a corpus."""

    train: Tokens
    validation: Tokens
    fingerprint: str
    bytes_per_token: float  # of the whole text; loss / ln 2 / this is bits per byte


class Stretches:
    """Stretches of a token stream that lies in several files, read as one row."""

    def __init__(self, shards: Sequence[NDArray[np.uint16]], stretches: ArrayLike) -> None:
        """`stretches` is (n, 2): where each begins in the stream, and where it ends."""
        stretches = np.asarray(stretches, dtype=np.int64).reshape(-1, 2)
        self._shards = shards
        self._shard_ends = np.cumsum([len(shard) for shard in shards])
        self._begins = stretches[:, 0]
        self._ends_here = np.cumsum(stretches[:, 1] - stretches[:, 0])  # in this row

    def part(self, stretches: ArrayLike) -> "Stretches":
        """Other stretches of the same stream."""
        return Stretches(self._shards, stretches)

    def __len__(self) -> int:
        return int(self._ends_here[-1]) if len(self._ends_here) else 0

    def __getitem__(self, part: slice, /) -> NDArray[np.uint16]:
        start, stop, step = part.indices(len(self))
        if step != 1:
            raise ValueError("only neighbouring tokens can be read at once")
        found = [np.empty(0, dtype=np.uint16)]
        index = int(np.searchsorted(self._ends_here, start, side="right"))
        while start < stop:
            end_here = int(self._ends_here[index])
            begin_here = int(self._ends_here[index - 1]) if index else 0
            upto = min(stop, end_here)
            first = int(self._begins[index]) + start - begin_here
            found += self._read(first, first + upto - start)
            start, index = upto, index + 1
        return np.concatenate(found)

    def _read(self, start: int, stop: int) -> list[NDArray[np.uint16]]:
        found = []
        index = int(np.searchsorted(self._shard_ends, start, side="right"))
        while start < stop:
            shard = self._shards[index]
            before = int(self._shard_ends[index]) - len(shard)
            upto = min(stop, before + len(shard))
            found.append(shard[start - before : upto - before])
            start, index = upto, index + 1
        return found


def split_sizes(
    folder: Path, manifest: CorpusManifest, *, validation_fraction: float
) -> tuple[int, int]:
    """Tokens of the training and of the validation split."""
    if manifest.split == BY_POSITION:
        return position_sizes(manifest.tokens, validation_fraction=validation_fraction)
    begins, chosen = _documents(folder, manifest, validation_fraction)
    lengths = np.diff(begins, append=np.uint64(manifest.tokens))
    validation = int(lengths[chosen].sum())
    return manifest.tokens - validation, validation


def position_sizes(tokens: int, *, validation_fraction: float) -> tuple[int, int]:
    """As `split_sizes`, for a corpus that is split by position and may not be here yet."""
    validation = int(tokens * validation_fraction)
    return tokens - validation, validation


def whole_stream(folder: Path) -> Tokens:
    """Every token of a prepared corpus as it was read; raises NotFound or Damaged."""
    return _open(folder)[1]


def open_splits(folder: Path, *, validation_fraction: float) -> TokenSplits:
    """Opens a prepared corpus; raises NotFound or Damaged."""
    manifest, stream = _open(folder)
    end = manifest.tokens
    if manifest.split == BY_POSITION:
        train, _ = position_sizes(end, validation_fraction=validation_fraction)
        parts = [stream.part(((0, train),)), stream.part(((train, end),))]
    else:
        begins, chosen = _documents(folder, manifest, validation_fraction)
        parts = [stream.part(_runs(begins, which, end=end)) for which in (~chosen, chosen)]
    return TokenSplits(
        train=parts[0],
        validation=parts[1],
        fingerprint=manifest.fingerprint,
        bytes_per_token=manifest.text_bytes / manifest.tokens,
    )


def _open(folder: Path) -> tuple[CorpusManifest, Stretches]:
    manifest = read_manifest(folder)
    if manifest is None:
        raise NotFound(
            f"the corpus {folder.name} is not prepared; it is prepared when a run first asks for it"
        )
    shards = [open_shard(folder, shard) for shard in manifest.shards]
    if (there := sum(map(len, shards))) != manifest.tokens:
        raise damaged(folder, f"its files hold {there:,} tokens instead of {manifest.tokens:,}")
    return manifest, Stretches(shards, ((0, manifest.tokens),))


def _documents(
    folder: Path, manifest: CorpusManifest, validation_fraction: float
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Where each document begins, and whether it is for validation."""
    rows = []
    for name in (STARTS_FILE, KEYS_FILE):
        path = folder / name
        size = path.stat().st_size if path.is_file() else 0
        if size != 8 * manifest.documents:
            raise damaged(
                folder, f"{name} has {size:,} bytes instead of {8 * manifest.documents:,}"
            )
        rows.append(np.memmap(path, dtype="<u8", mode="r"))
    limit = np.uint64(min(int(validation_fraction * 2**64), 2**64 - 1))
    return rows[0], rows[1] < limit


def _runs(begins: NDArray[np.uint64], chosen: NDArray[np.bool_], *, end: int) -> NDArray[np.int64]:
    """The chosen documents as (n, 2) stretches; neighbours make one."""
    padded = np.concatenate([[False], chosen, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])  # begin, end, begin, end, ... as documents
    places = np.append(begins, np.uint64(end)).astype(np.int64)
    runs: NDArray[np.int64] = places[edges].reshape(-1, 2)
    return runs
