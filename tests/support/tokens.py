"""A prepared corpus made of token ids instead of a text."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lab.text.corpus_manifest import MANIFEST_FILE, CorpusManifest, split_by
from lab.text.shards import SHARD_TOKENS, ShardWriter
from lab.text.splits import KEYS_FILE, STARTS_FILE


def write_tokens(
    folder: Path, documents: Sequence[Sequence[int]], *, shard_tokens: int = SHARD_TOKENS
) -> CorpusManifest:
    """The documents' ids as they are; a boundary before each is the caller's business."""
    folder.mkdir(parents=True)
    writer = ShardWriter(folder, shard_tokens=shard_tokens)
    starts, keys = [], []
    for document in documents:
        data = np.array(document, dtype="<u2").tobytes()
        starts.append(writer.tokens)
        keys.append(int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little"))
        writer.write(data)
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
        distinct_tokens=len({token for document in documents for token in document}),
        fingerprint=writer.fingerprint,
        split=split_by(len(starts)),
        shards=writer.close(),
    )
    (folder / MANIFEST_FILE).write_text(manifest.to_json())
    return manifest
