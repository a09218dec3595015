"""A checkpoint as one download: its weights, or the whole folder as a tar. Its length is said
before the first byte, so a browser knows when it has not got all of it."""

from __future__ import annotations

import tarfile
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from lab.errors import NotFound
from lab.manifest import WEIGHTS
from lab.rpc.reading import Piece, read_checkpoint
from lab.v1.checkpoint_pb2 import Checkpoint
from services.gateway.api.paths import CheckpointId, CheckpointName, RunId
from services.gateway.upstream import Upstream

Form = Annotated[
    Literal["folder", "weights"],
    Query(alias="as", description="a tar of the folder, or the weights as one file"),
]
Parts = AsyncIterator[Checkpoint | Piece]


def router(upstream: Upstream) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["checkpoints"])

    @routes.get(
        "/runs/{run:id}/checkpoints/{checkpoint:id}:download", response_class=StreamingResponse
    )
    async def download(
        name: CheckpointName, run: RunId, checkpoint: CheckpointId, form: Form = "folder"
    ) -> StreamingResponse:
        """The folder, which `transformers` opens as it is once unpacked, or its weights."""
        files = [WEIGHTS] if form == "weights" else []
        parts = aiter(read_checkpoint(upstream.checkpoint, name, files))
        described = await anext(parts)  # what is wrong is said before an answer begins
        assert isinstance(described, Checkpoint), "the description comes first"
        stem = f"{run}-{checkpoint}"
        if form == "weights":
            sizes = [file.size_bytes for file in described.files if file.name == WEIGHTS]
            if not sizes:
                raise NotFound(f"{name} has no {WEIGHTS}")
            return _answer(_bytes(parts), sizes[0], f"{stem}.safetensors")
        return _answer(_tar(parts, described, stem), tar_bytes(described), f"{stem}.tar")

    return routes


def _answer(content: AsyncIterator[bytes], length: int, file: str) -> StreamingResponse:
    return StreamingResponse(
        content,
        media_type="application/octet-stream",
        headers={
            "Content-Length": str(length),
            "Content-Disposition": f'attachment; filename="{file}"',
            "Cache-Control": "no-store",
        },
    )


async def _bytes(parts: Parts) -> AsyncIterator[bytes]:
    async for part in parts:
        if isinstance(part, Piece):
            yield part.data


async def _tar(parts: Parts, described: Checkpoint, folder: str) -> AsyncIterator[bytes]:
    sizes = {file.name: file.size_bytes for file in described.files}
    async for part in parts:
        if not isinstance(part, Piece):
            continue
        if part.offset == 0:
            entry = tarfile.TarInfo(f"{folder}/{part.file}")
            entry.size = sizes[part.file]
            entry.mtime = described.create_time.seconds
            yield entry.tobuf(tarfile.USTAR_FORMAT)
        yield part.data
        if part.offset + len(part.data) == sizes[part.file]:
            yield bytes(-sizes[part.file] % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def tar_bytes(described: Checkpoint) -> int:
    """How long the tar will be."""
    files = sum(
        tarfile.BLOCKSIZE + file.size_bytes + -file.size_bytes % tarfile.BLOCKSIZE
        for file in described.files
    )
    return files + 2 * tarfile.BLOCKSIZE
