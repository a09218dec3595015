"""Private copies of weights, fetched from the checkpoint service and kept by digest.

Only what a model is made of is fetched: weights and shape, not the optimizer. Every byte is hashed
on its way in and again before each use, so a model in memory is the one its digest names.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import structlog

from lab import manifest
from lab.errors import Damaged, NotFound, OverLimit, Unavailable
from lab.rpc.reading import read_checkpoint
from lab.v1.checkpoint_pb2 import Checkpoint, CheckpointFile
from lab.v1.checkpoint_service_pb2 import FileChunk, GetCheckpointRequest
from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceStub

WEIGHTS, SHAPE = "model.safetensors", "config.json"
IDLE_SECS = 30.0  # the checkpoint service may be busy, but it never pauses this long
_TEMPORARY = ".tmp-"

log = structlog.get_logger()


@dataclass(frozen=True)
class Fetched:
    """A checkpoint, and the folder that holds its weights and shape, verified just now."""

    checkpoint: Checkpoint
    folder: Path


@dataclass
class Progress:
    """How far a model is on its way."""

    source: str
    total_bytes: int
    received_bytes: int = 0


class Fetcher:
    """A cache folder in front of the checkpoint service."""

    def __init__(
        self, channel: grpc.aio.Channel, folder: Path, *, max_model_bytes: int, max_cache_bytes: int
    ) -> None:
        self._stub = CheckpointServiceStub(channel)
        self._folder = folder
        self._max_model_bytes = max_model_bytes
        self._max_cache_bytes = max_cache_bytes

    def start(self) -> None:
        """Makes the folder and removes what a crash left."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in self._folder.glob(f"{_TEMPORARY}*"):
            shutil.rmtree(path)

    async def look_up(self, source: str) -> Checkpoint:
        """What `source` is now. Raises NotFound, and OverLimit when it is too large to load."""
        answer = await self._stub.GetCheckpoint(GetCheckpointRequest(name=source))
        checkpoint: Checkpoint = answer.checkpoint
        self._check(checkpoint)
        return checkpoint

    async def fetch(self, checkpoint: Checkpoint, progress: Progress | None = None) -> Fetched:
        """The files of the checkpoint, from the cache or from the service.

        A peek may be replaced after `look_up`; then this is the newer one.
        """
        folder = self._folder / checkpoint.digest
        if await asyncio.to_thread(_intact, folder, checkpoint):
            os.utime(folder)  # most recently used
            if progress:
                progress.received_bytes = progress.total_bytes
            return Fetched(checkpoint, folder)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        fetched = await self._download(checkpoint.name, progress)
        await asyncio.to_thread(self._make_room, keep=fetched.folder)
        return fetched

    async def _download(self, source: str, progress: Progress | None) -> Fetched:
        parts = read_checkpoint(self._stub, source, [WEIGHTS, SHAPE])  # goes on after a cut
        checkpoint = await _next(parts)
        if not isinstance(checkpoint, Checkpoint):
            raise Damaged(f"{source} came without its header")
        self._check(checkpoint)
        temporary = self._folder / f"{_TEMPORARY}{secrets.token_hex(8)}"
        temporary.mkdir()
        try:
            arriving = _Arriving(temporary)
            chunk = await _next(parts)
            while isinstance(chunk, FileChunk):
                # One is written and hashed while the next is on its way.
                written = asyncio.create_task(asyncio.to_thread(arriving.write, chunk))
                try:
                    after = await _next(parts)
                finally:
                    await written
                if progress and chunk.file == WEIGHTS:
                    progress.received_bytes += len(chunk.data)
                chunk = after
            arriving.check(checkpoint)
            folder = self._folder / checkpoint.digest
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        log.info("fetched", source=source, digest=checkpoint.digest, step=checkpoint.step)
        return Fetched(checkpoint, folder)

    def _check(self, checkpoint: Checkpoint) -> None:
        """Raises when the checkpoint is no model, or too large, before any byte is fetched."""
        files = {file.name: file for file in checkpoint.files}
        if missing := sorted({WEIGHTS, SHAPE} - files.keys()):
            raise NotFound(f"{checkpoint.name} has no {' and no '.join(missing)}: it is no model")
        if manifest.digest(checkpoint.files) != checkpoint.digest:
            raise Damaged(f"{checkpoint.name}: its digest does not match its list of files")
        size = files[WEIGHTS].size_bytes
        if size > self._max_model_bytes:
            raise OverLimit(
                f"{checkpoint.name} has {size} bytes of weights; "
                f"models of at most {self._max_model_bytes} are loaded",
                metadata={"limit": str(self._max_model_bytes), "requested": str(size)},
            )

    def _make_room(self, *, keep: Path) -> None:
        """Removes the copies used least recently until the cache fits its limit."""
        folders = [path for path in self._folder.iterdir() if not path.name.startswith(".")]
        folders.sort(key=lambda path: path.stat().st_mtime)
        sizes = {path: sum(file.stat().st_size for file in path.iterdir()) for path in folders}
        excess = sum(sizes.values()) - self._max_cache_bytes
        for path in folders:
            if excess > 0 and path != keep:
                shutil.rmtree(path)
                excess -= sizes[path]


class _Arriving:
    """Files on their way into a temporary folder, hashed as they come."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._hashes: dict[str, Any] = {}

    def write(self, chunk: FileChunk) -> None:
        if chunk.file not in (WEIGHTS, SHAPE):
            raise Damaged(f"a file that was not asked for came: {chunk.file!r}")
        data = chunk.data  # a copy, each time it is asked for
        hash_so_far = self._hashes.setdefault(chunk.file, hashlib.sha256())
        with (self._folder / chunk.file).open("ab") as file:
            if file.tell() != chunk.offset:
                raise Damaged(f"{chunk.file} came with a gap at byte {file.tell()}")
            file.write(data)
        hash_so_far.update(data)

    def check(self, checkpoint: Checkpoint) -> None:
        for file in _wanted(checkpoint):
            found = self._hashes[file.name].hexdigest() if file.name in self._hashes else "nothing"
            if found != file.sha256:
                raise Damaged(
                    f"{checkpoint.name} is damaged: {file.name} should have SHA-256 {file.sha256}, "
                    f"but {found} came. Delete it and use another checkpoint",
                    metadata={"name": checkpoint.name, "file": file.name},
                )


def weights_bytes(checkpoint: Checkpoint) -> int:
    return sum(file.size_bytes for file in checkpoint.files if file.name == WEIGHTS)


def _wanted(checkpoint: Checkpoint) -> Iterable[CheckpointFile]:
    return [file for file in checkpoint.files if file.name in (WEIGHTS, SHAPE)]


def _intact(folder: Path, checkpoint: Checkpoint) -> bool:
    try:
        return all(
            manifest.file_sha256(folder / file.name) == file.sha256 for file in _wanted(checkpoint)
        )
    except FileNotFoundError:
        return False


async def _next(parts: AsyncIterator[Checkpoint | FileChunk]) -> Checkpoint | FileChunk | None:
    try:
        async with asyncio.timeout(IDLE_SECS):
            return await anext(parts, None)
    except TimeoutError as error:
        raise Unavailable(
            f"the checkpoint service sent nothing for {IDLE_SECS:g} seconds; try again"
        ) from error
