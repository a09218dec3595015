"""manifest.json of a prepared corpus: what it is, and what its files must hold. Written last."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab.text.shards import Shard

MANIFEST_FILE = "manifest.json"
FORMAT = 2

BY_POSITION, BY_DOCUMENT = "position", "document"
# With fewer documents, chance decides how large the validation split is, or whether there is one.
MIN_DOCUMENTS_TO_SPLIT_BY = 100

_SENTENCES = {
    BY_POSITION: "The last validation_fraction of the tokens is for validation.",
    BY_DOCUMENT: "A document is for validation when the first 8 bytes of its text's BLAKE2b hash, "
    "as a little-endian number, are below validation_fraction x 2^64.",
}


@dataclass(frozen=True)
class CorpusManifest:
    """What a prepared corpus is. The fingerprint names the exact token stream."""

    corpus: str
    title: str
    description: str
    licence: str
    added: bool  # by a user; the lab has no other copy of it
    source_sha256: str  # of the asset it was made of; empty for an added one
    tokenizer: str
    text_sha256: str  # of the documents' text, one after another
    text_bytes: int
    documents: int
    tokens: int  # end-of-text before each document included
    distinct_tokens: int
    fingerprint: str
    split: str
    shards: tuple[Shard, ...]
    # In nats per token, of the whole text; absent from corpora prepared before it was counted.
    unigram_entropy: float | None = None

    def to_json(self) -> str:
        fields = asdict(self)
        fields["split"] = {"by": self.split, "rule": _SENTENCES[self.split]}
        fields["dtype"] = "uint16"
        return json.dumps({"format": FORMAT, **fields}, indent=2, ensure_ascii=False) + "\n"


def split_by(documents: int) -> str:
    """The rule for a corpus of so many documents; it stays with the corpus."""
    return BY_DOCUMENT if documents >= MIN_DOCUMENTS_TO_SPLIT_BY else BY_POSITION


def read_manifest(folder: Path) -> CorpusManifest | None:
    """The manifest of a prepared corpus; None when there is none of this format."""
    try:
        fields: dict[str, Any] = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        if fields.pop("format") != FORMAT or fields.pop("dtype") != "uint16":
            return None
        fields["shards"] = tuple(Shard(**shard) for shard in fields["shards"])
        fields["split"] = fields["split"]["by"]
        return CorpusManifest(**fields)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
