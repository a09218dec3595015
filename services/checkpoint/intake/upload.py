"""The protocol of a write: header, chunks, end. Disk work runs in threads, the loop stays free."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from lab.errors import Code, InvalidArgument, LabError
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.checkpoint_service_pb2 import WriteCheckpointRequest
from lab.v1.error_pb2 import ErrorReason
from services.checkpoint.intake.blobs import Blobs
from services.checkpoint.intake.staging import Staging


async def receive(
    parts: AsyncIterator[WriteCheckpointRequest], blobs: Blobs, *, idle_secs: float
) -> Checkpoint:
    """The checkpoint as it is now visible. However this ends, nothing half is left behind."""
    first = await _next(parts, idle_secs=idle_secs)
    if first is None or first.WhichOneof("part") != "header":
        raise InvalidArgument.field("header", "must come first")
    same = await asyncio.to_thread(blobs.find_same, first.header)
    if same is not None:
        return same
    beginning = asyncio.ensure_future(asyncio.to_thread(blobs.begin, first.header))
    try:
        staging = await asyncio.shield(beginning)
        while (part := await _next(parts, idle_secs=idle_secs)) is not None:
            match part.WhichOneof("part"):
                case "chunk":
                    await asyncio.to_thread(staging.write, part.chunk)
                case "end":
                    return await asyncio.to_thread(blobs.commit, staging)
                case "header":
                    raise InvalidArgument.field("header", "must come once")
                case _:
                    raise InvalidArgument.field("part", "must be a header, a chunk or the end")
        raise InvalidArgument.field("end", "is missing: the stream broke off, nothing was stored")
    finally:
        await asyncio.shield(_end(beginning, blobs))


async def _end(beginning: asyncio.Future[Staging], blobs: Blobs) -> None:
    """Also of what was still beginning when the caller went away: nobody stops a thread."""
    try:
        staging = await beginning
    except LabError:
        return  # refused, which the caller was told
    await asyncio.to_thread(blobs.end, staging)


async def _next(
    parts: AsyncIterator[WriteCheckpointRequest], *, idle_secs: float
) -> WriteCheckpointRequest | None:
    try:
        async with asyncio.timeout(idle_secs):
            return await anext(parts, None)
    except TimeoutError as error:
        raise LabError(
            f"nothing came for {idle_secs:g} seconds; the write was given up, nothing was stored",
            code=Code.DEADLINE_EXCEEDED,
            reason=ErrorReason.ERROR_REASON_DEADLINE,
        ) from error
