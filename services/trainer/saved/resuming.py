"""Where a run begins that does not begin at nothing: in its newest checkpoint that is whole, or in
the one it was forked from."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog

from lab.errors import Code, LabError, NotFound
from lab.v1 import checkpoint_service_pb2_grpc as services
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.checkpoint_service_pb2 import FenceRunRequest
from services.trainer.saved import sending
from services.trainer.saved.shelf import shelf_of

PATIENCE_SECS: Final = 60.0  # for a checkpoint service that is away
PAUSE_SECS: Final = 1.0

log = structlog.get_logger()


async def fetch_newest(
    stub: services.CheckpointServiceAsyncStub,
    run: str,
    folder: Path,
    *,
    fencing_token: int,
    warn: Callable[[str], None],
) -> Checkpoint:
    """Copies the newest whole checkpoint of the run into the folder.

    From before it looks which that is, no owner of an older claim can add one. A damaged checkpoint
    is passed over with a warning. Raises NotFound when none is left.
    """

    async def work() -> Checkpoint:
        await stub.FenceRun(FenceRunRequest(run=run, fencing_token=fencing_token))
        return await _fetch_newest(stub, run, folder, warn)

    return await _patiently(run, work)


async def fetch_parent(
    stub: services.CheckpointServiceAsyncStub, run: str, checkpoint: str, folder: Path
) -> Checkpoint:
    """Copies the checkpoint that the run was forked from."""
    return await _patiently(run, lambda: sending.fetch(stub, checkpoint, folder))


async def _patiently(run: str, work: Callable[[], Awaitable[Checkpoint]]) -> Checkpoint:
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECS
    while True:
        try:
            return await work()
        except LabError as error:
            if error.code not in sending.PASSING or asyncio.get_running_loop().time() > deadline:
                raise
            log.info("resume waits", run=run, reason=error.message)
        await asyncio.sleep(PAUSE_SECS)


async def _fetch_newest(
    stub: services.CheckpointServiceAsyncStub, run: str, folder: Path, warn: Callable[[str], None]
) -> Checkpoint:
    shelf = await shelf_of(stub, run)
    for unreadable in shelf.unreadable:
        warn(f"{unreadable.name} cannot be read: {unreadable.why}; it is passed over")
    for checkpoint in shelf.full:
        if checkpoint.damage:
            warn(f"{checkpoint.name} is damaged: {checkpoint.damage[0]}; it is passed over")
            continue
        try:
            return await sending.fetch(stub, checkpoint.name, folder)
        except LabError as error:
            if error.code not in (Code.DATA_LOSS, Code.NOT_FOUND):
                raise
            log.warning("checkpoint passed over", name=checkpoint.name, reason=error.message)
            warn(f"{error.message}; the checkpoint before it is tried")
    weights = "; weights alone are not enough" if len(shelf.full) < len(shelf.checkpoints) else ""
    raise NotFound(f"{run} has no whole checkpoint left to go on from{weights}; start a new run")
