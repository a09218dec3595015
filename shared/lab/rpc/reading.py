"""Reads a checkpoint as a stream that goes on after a cut: whoever wants its files asks here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lab.errors import Code, Damaged, LabError
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.checkpoint_service_pb2 import ReadCheckpointRequest

if TYPE_CHECKING:  # grpc generates these for type checkers only
    from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceAsyncStub

READ_SECS: Final = 900.0
CUTS_IN_A_ROW: Final = 8  # without one byte between them
PAUSE_SECS: Final = 0.25  # doubles with each
MOST_SECS: Final = 5.0
# What a service that is killed, stopped or started again says in the middle of a stream.
_CUT: Final = (Code.UNAVAILABLE, Code.CANCELLED, Code.UNKNOWN, Code.INTERNAL)


@dataclass(frozen=True)
class Piece:
    """Bytes of a file. A FileChunk would copy its megabyte each time it is asked for it."""

    file: str
    offset: int
    data: bytes


async def read_checkpoint(
    service: CheckpointServiceAsyncStub,
    name: str,
    files: Sequence[str] = (),
    *,
    from_file: str = "",
    from_offset: int = 0,
) -> AsyncIterator[Checkpoint | Piece]:
    """What is coming, once, then the bytes of each file in order, without gap or repetition.

    After a cut the rest is asked for, of the same bytes: raises PreconditionFailed when the name
    stands for others by then, and the last error when nothing came `CUTS_IN_A_ROW` times.
    """
    request = ReadCheckpointRequest(
        name=name, files=files, from_file=from_file, from_offset=from_offset
    )
    known = False
    cuts = 0
    while True:
        try:
            async for part in service.ReadCheckpoint(request, timeout=READ_SECS):
                cuts = 0
                if part.HasField("header"):
                    if not known:
                        known, request.digest = True, part.header.digest
                        yield part.header
                    continue
                piece = Piece(part.chunk.file, part.chunk.offset, part.chunk.data)
                _check_next(request, piece)
                request.from_file = piece.file
                request.from_offset = piece.offset + len(piece.data)
                yield piece
            return
        except LabError as error:
            cuts += 1
            if error.code not in _CUT or not known or cuts > CUTS_IN_A_ROW:
                raise
        await asyncio.sleep(min(PAUSE_SECS * 2 ** (cuts - 1), MOST_SECS))


def _check_next(due: ReadCheckpointRequest, piece: Piece) -> None:
    expected = due.from_offset if piece.file == due.from_file or not due.from_file else 0
    if piece.offset != expected:
        raise Damaged(f"{piece.file}: a piece is missing before byte {piece.offset}")
