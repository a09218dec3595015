"""Weights and shape of a checkpoint, from the checkpoint service straight into memory.

Every byte is hashed on its way, so a model in memory is the one its digest names. No copy is kept
on disk: writing it takes longer than letting the bytes travel again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc
import structlog

from lab import manifest
from lab.errors import Damaged, NotFound, OverLimit, Unavailable
from lab.manifest import CONFIG, WEIGHTS
from lab.rpc.reading import Piece, read_checkpoint
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.checkpoint_service_pb2 import GetCheckpointRequest
from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceStub
from services.inference.models.arriving import Arriving, Fetched, wanted

IDLE_SECS = 30.0  # the checkpoint service may be busy, but it never pauses this long
MAX_SHAPE_BYTES = 1 << 20

log = structlog.get_logger()


@dataclass
class Progress:
    """How far a model is on its way."""

    source: str
    total_bytes: int
    received_bytes: int = 0


class Fetcher:
    """Asks the checkpoint service."""

    def __init__(self, channel: grpc.aio.Channel, *, max_model_bytes: int) -> None:
        self._stub = CheckpointServiceStub(channel)
        self._max_model_bytes = max_model_bytes

    async def look_up(self, source: str) -> Checkpoint:
        """What `source` is now. Raises NotFound, and OverLimit when it is too large to load."""
        answer = await self._stub.GetCheckpoint(GetCheckpointRequest(name=source))
        checkpoint: Checkpoint = answer.checkpoint
        self._check(checkpoint)
        return checkpoint

    async def fetch(self, checkpoint: Checkpoint, progress: Progress | None = None) -> Fetched:
        """The files of the checkpoint. Raises Damaged.

        A peek may be replaced after `look_up`; then this is the newer one.
        """
        name = checkpoint.name
        parts = read_checkpoint(self._stub, name, [WEIGHTS, CONFIG])  # goes on after a cut
        described = await _next(parts)
        if not isinstance(described, Checkpoint):
            raise Damaged(f"{name} came without its header")
        self._check(described)
        arriving = Arriving(described)
        piece = await _next(parts)
        while isinstance(piece, Piece):
            # One is hashed and put in its place while the next is on its way.
            taken = asyncio.create_task(
                asyncio.to_thread(arriving.take, piece.file, piece.offset, piece.data)
            )
            try:
                after = await _next(parts)
            finally:
                await taken
            if progress and piece.file == WEIGHTS:
                progress.received_bytes += len(piece.data)
            piece = after
        fetched = arriving.fetched()
        log.info("fetched", source=name, digest=described.digest, step=described.step)
        return fetched

    def _check(self, checkpoint: Checkpoint) -> None:
        """Raises when the checkpoint is no model, or too large, before any byte is fetched."""
        files = wanted(checkpoint)
        if missing := sorted({WEIGHTS, CONFIG} - files.keys()):
            raise NotFound(f"{checkpoint.name} has no {' and no '.join(missing)}: it is no model")
        if manifest.digest(checkpoint.files) != checkpoint.digest:
            raise Damaged(f"{checkpoint.name}: its digest does not match its list of files")
        for name, limit in ((WEIGHTS, self._max_model_bytes), (CONFIG, MAX_SHAPE_BYTES)):
            if (size := files[name].size_bytes) > limit:
                what = "bytes of weights" if name == WEIGHTS else f"bytes of {name}"
                raise OverLimit(
                    f"{checkpoint.name} has {size} {what}; models of at most {limit} are loaded",
                    metadata={"limit": str(limit), "requested": str(size)},
                )


def weights_bytes(checkpoint: Checkpoint) -> int:
    return sum(file.size_bytes for file in checkpoint.files if file.name == WEIGHTS)


async def _next(parts: AsyncIterator[Checkpoint | Piece]) -> Checkpoint | Piece | None:
    try:
        async with asyncio.timeout(IDLE_SECS):
            return await anext(parts, None)
    except TimeoutError as error:
        raise Unavailable(
            f"the checkpoint service sent nothing for {IDLE_SECS:g} seconds; try again"
        ) from error
