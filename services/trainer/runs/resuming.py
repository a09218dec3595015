"""Where a run that goes on begins: in its newest checkpoint that is whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from lab.errors import Code, LabError, NotFound
from lab.v1 import checkpoint_service_pb2_grpc as services
from lab.v1.checkpoint_pb2 import Checkpoint
from services.trainer.runs import sending

PATIENCE_SECS: Final = 60.0  # for a checkpoint service that is away
PAUSE_SECS: Final = 1.0

log = structlog.get_logger()


async def fetch_newest(
    stub: services.CheckpointServiceAsyncStub,
    run: str,
    folder: Path,
    *,
    warn: Callable[[str], None],
) -> Checkpoint:
    """Copies the newest whole checkpoint of the run into the folder.

    A damaged one is passed over with a warning. Raises NotFound when none is left.
    """
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECS
    while True:
        try:
            return await _fetch_newest(stub, run, folder, warn)
        except LabError as error:
            if error.code not in sending.PASSING or asyncio.get_running_loop().time() > deadline:
                raise
            log.info("resume waits", run=run, reason=error.message)
        await asyncio.sleep(PAUSE_SECS)


async def _fetch_newest(
    stub: services.CheckpointServiceAsyncStub, run: str, folder: Path, warn: Callable[[str], None]
) -> Checkpoint:
    for checkpoint in await sending.newest(stub, run):
        try:
            return await sending.fetch(stub, checkpoint.name, folder)
        except LabError as error:
            if error.code not in (Code.DATA_LOSS, Code.NOT_FOUND):
                raise
            log.warning("checkpoint passed over", name=checkpoint.name, reason=error.message)
            warn(f"{error.message}; the checkpoint before it is tried")
    raise NotFound(f"{run} has no whole checkpoint left to go on from; start a new run")
