"""Turns a text into a folder of tokens: checked, tokenised once, written whole or not at all."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from lab.errors import InvalidArgument
from lab.text.assets import Progress
from lab.text.splits import (
    FORMAT,
    MANIFEST_FILE,
    TOKENS_FILE,
    CorpusManifest,
    Tokens,
    read_manifest,
)
from lab.text.tokenizer import Tokenizer

MIN_TOKENS = 32  # below this there is nothing to split
_PART_CHARACTERS = 200_000  # tokenised at a time, so that progress can be shown


def write_corpus(
    folder: Path, corpus: str, text: bytes, tokenizer: Tokenizer, progress: Progress
) -> CorpusManifest:
    """Tokenises the text into `folder`; raises InvalidArgument when it cannot be trained on.

    The folder appears by one rename. When another process was faster, its folder stays.
    """
    tokens = tokenise(corpus, text, tokenizer, progress)
    stream = tokens.astype("<u2").tobytes()
    manifest = CorpusManifest(
        format=FORMAT,
        corpus=corpus,
        tokenizer="gpt2",
        text_sha256=hashlib.sha256(text).hexdigest(),
        text_bytes=len(text),
        documents=1,
        tokens=len(tokens),
        distinct_tokens=len(np.unique(tokens)),
        fingerprint=hashlib.sha256(stream).hexdigest(),
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{corpus}.", suffix=".tmp", dir=folder.parent))
    try:
        _write(staging / TOKENS_FILE, stream)
        _write(staging / MANIFEST_FILE, manifest.to_json().encode())
        _put_in_place(staging, folder, manifest)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return manifest


def tokenise(corpus: str, text: bytes, tokenizer: Tokenizer, progress: Progress) -> Tokens:
    """The tokens of one document, end-of-text before it."""
    where = f"corpus {corpus}"
    if not text.strip():
        raise InvalidArgument(f"{where}: is empty or only white space; give it some text")
    if (zero := text.find(b"\0")) >= 0:
        raise InvalidArgument(f"{where}: holds a NUL byte at offset {zero:,}; give plain text")
    try:
        letters = text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidArgument(
            f"{where}: is not UTF-8 at byte offset {error.start:,} ({error.reason}); "
            "save it as UTF-8"
        ) from error
    ids = [tokenizer.eot]
    done = 0
    for part in _parts(letters):
        ids += tokenizer.encode(part)
        done += len(part)
        progress(f"tokenising {corpus}", done / len(letters))
    if len(ids) < MIN_TOKENS:
        raise InvalidArgument(f"{where}: has {len(ids)} tokens; at least {MIN_TOKENS} are needed")
    return np.array(ids, dtype=np.uint16)


def _parts(text: str) -> list[str]:
    """Cuts the text where no token can span: between a line's end and a letter after it.

    GPT-2's word pattern glues runs of white space together, so a cut is made only where a
    newline follows something that is not white space and is followed by something that is not.
    """
    parts: list[str] = []
    start = 0
    while len(text) - start > _PART_CHARACTERS:
        cut = text.find("\n", start + _PART_CHARACTERS)
        while cut >= 0 and not _is_cut(text, cut):
            cut = text.find("\n", cut + 1)
        if cut < 0:
            break
        parts.append(text[start:cut])
        start = cut
    parts.append(text[start:])
    return parts


def _is_cut(text: str, newline: int) -> bool:
    around = text[newline - 1], text[newline + 1 : newline + 2]
    return bool(around[1]) and not around[0].isspace() and not around[1].isspace()


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _put_in_place(staging: Path, folder: Path, manifest: CorpusManifest) -> None:
    try:
        staging.rename(folder)
    except OSError:
        if read_manifest(folder) == manifest:
            return  # another process was faster
        # Something else lies there: half a folder, or the tokens of an older text.
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
        folder.rename(aside / "old")
        staging.rename(folder)
        shutil.rmtree(aside, ignore_errors=True)
