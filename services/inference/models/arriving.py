"""Weights on their way into memory, hashed as they come: there they stay, and are the model's own.

A piece is hashed while it is still in the processor's cache, and written once. What each further
copy costs is less the bytes than memory fresh from the system: two microseconds a page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lab.errors import Damaged
from lab.manifest import CONFIG, WEIGHTS
from lab.model.files import data_begin
from lab.v1.checkpoint_pb2 import Checkpoint, CheckpointFile

_LINE_BYTES = 64  # of a processor's cache: numbers that begin with one are read faster


@dataclass(frozen=True)
class Fetched:
    """A checkpoint's weights and shape as the files have them, every byte verified."""

    checkpoint: Checkpoint
    weights: Tensor  # (bytes,) of uint8
    shape: bytes


class Arriving:
    """The files that a model is made of, piece by piece and in order."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._files = wanted(checkpoint)
        self._hashes: dict[str, Any] = {name: hashlib.sha256() for name in self._files}
        self._arrived = dict.fromkeys(self._files, 0)
        size_bytes = self._files[WEIGHTS].size_bytes + _LINE_BYTES
        self._whole = torch.empty(size_bytes, dtype=torch.uint8).numpy()  # begins with a line
        self._shift = 0
        self._shape = bytearray()

    def take(self, file: str, offset: int, data: bytes) -> None:
        """Raises Damaged for a gap, and for bytes that nobody asked for."""
        size = len(data)
        if file not in self._files:
            raise Damaged(f"a file that was not asked for came: {file!r}")
        if self._arrived[file] != offset:
            raise Damaged(f"{file} came with a gap at byte {self._arrived[file]}")
        if offset + size > (described := self._files[file].size_bytes):
            raise Damaged(f"{file} came with more than its {described} bytes")
        self._hashes[file].update(data)
        if file == CONFIG:
            self._shape += data
        else:
            if offset == 0:  # the numbers are to begin with a line, not the header before them
                self._shift = -data_begin(data[:8]) % _LINE_BYTES
            begin = self._shift + offset
            # Unlike bytes, numpy copies without Python's lock.
            self._whole[begin : begin + size] = np.frombuffer(data, np.uint8)
        self._arrived[file] += size

    def fetched(self) -> Fetched:
        """All of it. Raises Damaged when it is not what the digest names."""
        for file in self._files.values():
            found = self._hashes[file.name].hexdigest() if self._arrived[file.name] else "nothing"
            if found != file.sha256:
                raise Damaged(
                    f"{self._checkpoint.name} is damaged: {file.name} should have SHA-256 "
                    f"{file.sha256}, but {found} came. Delete it and use another checkpoint",
                    metadata={"name": self._checkpoint.name, "file": file.name},
                )
        weights = self._whole[self._shift : self._shift + self._arrived[WEIGHTS]]
        return Fetched(self._checkpoint, torch.from_numpy(weights), bytes(self._shape))


def wanted(checkpoint: Checkpoint) -> Mapping[str, CheckpointFile]:
    """What a model is made of: weights and shape, not the optimizer."""
    return {file.name: file for file in checkpoint.files if file.name in (WEIGHTS, CONFIG)}
