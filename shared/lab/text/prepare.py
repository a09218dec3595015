"""Turns documents into a folder of tokens: checked, tokenised once, written whole or not at all."""

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lab.errors import AlreadyExists, InvalidArgument, LabError
from lab.text.assets import Progress
from lab.text.corpus_manifest import MANIFEST_FILE, CorpusManifest, read_manifest, split_by
from lab.text.cutting import batches
from lab.text.documents import DocumentReader, Piece
from lab.text.encoding import encode_all, processes_for
from lab.text.shards import SHARD_TOKENS, ShardWriter
from lab.text.splits import KEYS_FILE, STARTS_FILE
from lab.text.tokenizer import Tokenizer

MIN_TOKENS = 32  # below this there is nothing to split
_LOCK_FILE = ".writing"
_YOUNG_SECS = 60.0


@dataclass(frozen=True)
class About:
    """What people are told about a corpus, and what it is made of."""

    corpus: str
    title: str
    description: str
    licence: str
    added: bool
    source_sha256: str = ""


def write_corpus(
    folder: Path,
    about: About,
    reader: DocumentReader,
    tokenizer: Tokenizer,
    progress: Progress,
    *,
    processes: int | None = None,
    shard_tokens: int = SHARD_TOKENS,
) -> CorpusManifest:
    """Tokenises the documents into `folder`; raises InvalidArgument when it cannot be trained on.

    The folder appears by one rename. When another process was faster, its folder stays.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder.parent)
    _check_room(folder.parent, about.corpus, reader.total_bytes)
    with _staging(folder) as staging:
        try:
            manifest = _tokenise(
                staging,
                about,
                reader,
                tokenizer,
                progress,
                processes=processes or processes_for(reader.total_bytes),
                shard_tokens=shard_tokens,
            )
            _write(staging / MANIFEST_FILE, manifest.to_json().encode())
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise _no_room(about.corpus, "while it was written") from error
        (staging / _LOCK_FILE).unlink()
        _put_in_place(staging, folder, manifest)
    return manifest


class _Text:
    """What passes by on its way to the tokenizer: counted, and hashed as a whole and by document.

    Hashes are what 16 bytes a document cost; they stay in memory until the end.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self.keys = array("Q")
        self._whole = hashlib.sha256()
        self._document: hashlib.blake2b | None = None
        self.blank = True

    def through(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        for piece in pieces:
            data = piece.text.encode()
            self.bytes += len(data)
            self._whole.update(data)
            if piece.begins or self._document is None:
                self._finish()
                self._document = hashlib.blake2b(digest_size=8)
            self._document.update(data)
            self.blank = self.blank and not piece.text.strip()
            yield piece
        self._finish()

    @property
    def sha256(self) -> str:
        return self._whole.hexdigest()

    def _finish(self) -> None:
        if self._document is not None:
            self.keys.append(int.from_bytes(self._document.digest(), "little"))


def _tokenise(
    staging: Path,
    about: About,
    reader: DocumentReader,
    tokenizer: Tokenizer,
    progress: Progress,
    *,
    processes: int,
    shard_tokens: int,
) -> CorpusManifest:
    text, writer = _Text(), ShardWriter(staging, shard_tokens=shard_tokens)
    starts = array("Q")
    counts = np.zeros(tokenizer.vocab_size, dtype=np.int64)
    what = f"tokenising {about.corpus}"
    progress(what, 0.0)
    try:
        encoded = encode_all(batches(text.through(reader.pieces())), tokenizer, processes=processes)
        for batch in encoded:
            starts.extend(writer.tokens + begin for begin in batch.begins)
            counts += np.bincount(np.frombuffer(batch.tokens, dtype="<u2"), minlength=len(counts))
            writer.write(batch.tokens)
            # The reader is a little ahead of what is written.
            progress(what, min(0.99, reader.read_bytes / max(1, reader.total_bytes)))
        if text.blank:
            raise InvalidArgument(
                f"corpus {about.corpus}: is empty or only white space; give it some text"
            )
        if writer.tokens < MIN_TOKENS:
            raise InvalidArgument(
                f"corpus {about.corpus}: has {writer.tokens} tokens; at least {MIN_TOKENS} are "
                "needed, and one more than the context of the model to train on it"
            )
        shards = writer.close()
    finally:
        writer.abandon()
    _write(staging / STARTS_FILE, np.frombuffer(starts, dtype=np.uint64).astype("<u8").tobytes())
    _write(staging / KEYS_FILE, np.frombuffer(text.keys, dtype=np.uint64).astype("<u8").tobytes())
    progress(what, 1.0)
    return CorpusManifest(
        corpus=about.corpus,
        title=about.title,
        description=about.description,
        licence=about.licence,
        added=about.added,
        source_sha256=about.source_sha256,
        tokenizer="gpt2",
        text_sha256=text.sha256,
        text_bytes=text.bytes,
        documents=len(starts),
        tokens=writer.tokens,
        distinct_tokens=int(np.count_nonzero(counts)),
        fingerprint=writer.fingerprint,
        split=split_by(len(starts)),
        shards=shards,
        unigram_entropy=unigram_entropy(counts),
    )


def unigram_entropy(counts: NDArray[np.int64]) -> float:
    """Of tokens drawn as often as they were counted, in nats: -sum p ln p."""
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _check_room(folder: Path, corpus: str, text_bytes: int) -> None:
    """English takes about half a byte of tokens for a byte of text."""
    free = shutil.disk_usage(folder).free
    if text_bytes // 2 > free:
        raise _no_room(corpus, f"needs about {text_bytes // 2:,} bytes of it, {free:,} are free")


def _no_room(corpus: str, why: str) -> LabError:
    return LabError(
        f"corpus {corpus}: there is no room on the disk ({why}); make some, then try again"
    )


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """A folder beside the one to be, gone at the end whatever happens; locked while in use."""
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
    try:
        with (staging / _LOCK_FILE).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Removes what a killed process left: staging folders that nobody holds any more."""
    for staging in parent.glob(".*.tmp"):
        try:
            with (staging / _LOCK_FILE).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(staging, ignore_errors=True)
        except BlockingIOError:
            continue  # in use
        except OSError:
            # No lock yet, or no more: just made, just being renamed, or left by a killed process.
            if staging.is_dir() and time.time() - staging.stat().st_mtime > _YOUNG_SECS:
                shutil.rmtree(staging, ignore_errors=True)


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _put_in_place(staging: Path, folder: Path, manifest: CorpusManifest) -> None:
    try:
        staging.rename(folder)
    except OSError:
        there = read_manifest(folder)
        if there == manifest:
            return  # another process was faster
        if manifest.added and there is not None:
            raise taken(folder.name) from None
        # Something else lies there: half a folder, an older format, or an older text.
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
        folder.rename(aside / "old")
        staging.rename(folder)
        shutil.rmtree(aside, ignore_errors=True)


def taken(corpus: str) -> AlreadyExists:
    return AlreadyExists(
        f"there is a corpus called {corpus} already; choose another name, or remove it with: "
        f"lab corpora remove {corpus}",
        metadata={"corpus": corpus},
    )
