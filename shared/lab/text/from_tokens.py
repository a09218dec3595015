"""A prepared corpus made of token ids instead of a text: for measurements and tests."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from lab.text.corpus_manifest import MANIFEST_FILE, CorpusManifest, split_by
from lab.text.shards import SHARD_TOKENS, ShardWriter
from lab.text.splits import KEYS_FILE, STARTS_FILE


def write_tokens(
    folder: Path, documents: Sequence[ArrayLike], *, shard_tokens: int = SHARD_TOKENS
) -> CorpusManifest:
    """The documents' ids as they are; a boundary before each is the caller's business."""
    folder.mkdir(parents=True)
    writer = ShardWriter(folder, shard_tokens=shard_tokens)
    starts, keys = [], []
    seen = np.zeros(1 << 16, dtype=np.bool_)
    for document in documents:
        tokens = np.asarray(document, dtype="<u2")
        seen[tokens] = True
        starts.append(writer.tokens)
        key = hashlib.blake2b(tokens.tobytes(), digest_size=8).digest()
        keys.append(int.from_bytes(key, "little"))
        writer.write(tokens.tobytes())
    (folder / STARTS_FILE).write_bytes(np.array(starts, dtype="<u8").tobytes())
    (folder / KEYS_FILE).write_bytes(np.array(keys, dtype="<u8").tobytes())
    manifest = CorpusManifest(
        corpus=folder.name,
        title=folder.name,
        description="",
        licence="none",
        added=True,
        source_sha256="",
        tokenizer="gpt2",
        text_sha256="0" * 64,
        text_bytes=4 * writer.tokens,
        documents=len(starts),
        tokens=writer.tokens,
        distinct_tokens=int(seen.sum()),
        fingerprint=writer.fingerprint,
        split=split_by(len(starts)),
        shards=writer.close(),
    )
    (folder / MANIFEST_FILE).write_text(manifest.to_json())
    return manifest
