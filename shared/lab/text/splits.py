"""A tokenised corpus on disk, opened as a training and a validation split.

`tokens.bin` holds the ids of the whole corpus as little-endian uint16, mapped into memory, so that
a large corpus costs no more of it than what is read. `manifest.json` says what should be there.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lab.errors import Damaged, NotFound

TOKENS_FILE = "tokens.bin"
MANIFEST_FILE = "manifest.json"
FORMAT = 1

Tokens: TypeAlias = NDArray[np.uint16]


@dataclass(frozen=True)
class CorpusManifest:
    """What a prepared corpus is. The fingerprint names the exact token stream."""

    format: int
    corpus: str
    tokenizer: str
    text_sha256: str
    text_bytes: int
    documents: int
    tokens: int
    distinct_tokens: int
    fingerprint: str

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"


@dataclass(frozen=True)
class TokenSplits:
    """The two parts of a corpus, by position: validation is its end."""

    train: Tokens
    validation: Tokens
    fingerprint: str


def split_sizes(tokens: int, *, validation_fraction: float) -> tuple[int, int]:
    """Tokens of the training and of the validation split."""
    validation = int(tokens * validation_fraction)
    return tokens - validation, validation


def read_manifest(folder: Path) -> CorpusManifest | None:
    """The manifest of a prepared corpus; None when there is none that can be read."""
    try:
        manifest = CorpusManifest(**json.loads((folder / MANIFEST_FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return manifest if manifest.format == FORMAT else None


def open_splits(folder: Path, *, validation_fraction: float) -> TokenSplits:
    """Opens a prepared corpus; raises NotFound or Damaged."""
    manifest = read_manifest(folder)
    if manifest is None:
        raise NotFound(
            f"the corpus {folder.name} is not prepared; it is prepared when a run first asks for it"
        )
    file = folder / TOKENS_FILE
    size = file.stat().st_size if file.is_file() else 0
    if size != 2 * manifest.tokens:
        raise Damaged(
            f"{TOKENS_FILE} of the corpus {folder.name} has {size:,} bytes instead of "
            f"{2 * manifest.tokens:,}; delete the corpus folder and prepare it again"
        )
    tokens: Tokens = np.memmap(file, dtype="<u2", mode="r")
    train, _ = split_sizes(manifest.tokens, validation_fraction=validation_fraction)
    return TokenSplits(
        train=tokens[:train], validation=tokens[train:], fingerprint=manifest.fingerprint
    )
