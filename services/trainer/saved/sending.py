"""Checkpoint folders to the checkpoint service and back, as streams of chunks."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

from lab import manifest
from lab.errors import Code, Damaged, LabError
from lab.limits import MAX_CHUNK_BYTES
from lab.rpc.reading import Piece, read_checkpoint
from lab.v1 import checkpoint_service_pb2_grpc as services
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.checkpoint_service_pb2 import (
    EndOfCheckpoint,
    FileChunk,
    GetCheckpointRequest,
    WriteCheckpointRequest,
)

WRITE_SECS: Final = 900.0

# What a checkpoint service that is starting, stopping, busy or killed mid-stream says.
PASSING: Final = (
    Code.UNAVAILABLE,
    Code.DEADLINE_EXCEEDED,
    Code.CANCELLED,
    Code.ABORTED,
    Code.RESOURCE_EXHAUSTED,  # too many writers, or a full disk: both pass
    Code.UNKNOWN,
    Code.INTERNAL,
)


async def send(
    stub: services.CheckpointServiceAsyncStub,
    folder: Path,
    header: Checkpoint,
    *,
    rest: Callable[[int], Awaitable[None]] | None = None,
) -> Checkpoint:
    """The checkpoint as it became visible. One that is there already under the name counts: the
    same step of the same run holds the same state. `rest` is awaited after each piece, with the
    bytes that were sent."""
    if not header.files:
        header.files.extend(await asyncio.to_thread(manifest.describe, folder))
    try:
        answer = await stub.WriteCheckpoint(_parts(folder, header, rest), timeout=WRITE_SECS)
        return answer.checkpoint
    except LabError as error:
        if error.code is not Code.ALREADY_EXISTS:
            raise
        found = await stub.GetCheckpoint(GetCheckpointRequest(name=header.name))
        return found.checkpoint


async def _parts(
    folder: Path, header: Checkpoint, rest: Callable[[int], Awaitable[None]] | None
) -> AsyncIterator[WriteCheckpointRequest]:
    yield WriteCheckpointRequest(header=header)
    sent_bytes = 0
    for described in header.files:
        for offset in range(0, described.size_bytes, MAX_CHUNK_BYTES):
            data = await asyncio.to_thread(_piece, folder / described.name, offset)
            yield WriteCheckpointRequest(
                chunk=FileChunk(file=described.name, offset=offset, data=data)
            )
            if rest is not None:
                sent_bytes += len(data)
                await rest(sent_bytes)
    yield WriteCheckpointRequest(end=EndOfCheckpoint())


async def fetch(stub: services.CheckpointServiceAsyncStub, name: str, folder: Path) -> Checkpoint:
    """Copies a checkpoint into a new folder and verifies every byte; raises Damaged."""
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    await asyncio.to_thread(folder.mkdir, parents=True)
    checkpoint = Checkpoint()
    async for part in read_checkpoint(stub, name):
        if isinstance(part, Checkpoint):
            checkpoint.CopyFrom(part)
        else:
            await asyncio.to_thread(_append, folder, part)
    found = await asyncio.to_thread(manifest.damage, folder, checkpoint)
    if found:
        raise Damaged(f"{name} is damaged: {'; '.join(found)}")
    return checkpoint


def _piece(path: Path, offset: int) -> bytes:
    """Opened for each piece: a stream that is given up half way leaves no file open."""
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(MAX_CHUNK_BYTES)


def _append(folder: Path, chunk: Piece) -> None:
    path = (folder / chunk.file).resolve()
    if path.parent != folder.resolve():
        raise Damaged(f"a checkpoint file is called {chunk.file[:80]!r}, which is not a plain name")
    with path.open("ab") as file:
        if file.tell() != chunk.offset:
            raise Damaged(f"{chunk.file}: a piece is missing before byte {chunk.offset}")
        file.write(chunk.data)
