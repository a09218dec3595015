"""Removes the peek of a run that was deleted, which the checkpoint service holds."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from lab import names
from lab.errors import Code, LabError
from lab.v1 import checkpoint_service_pb2_grpc as services
from lab.v1.checkpoint_service_pb2 import DeleteCheckpointRequest

FIRST_PAUSE_SECS: Final = 0.2
LONGEST_PAUSE_SECS: Final = 5.0

log = structlog.get_logger()


class PeekRemoval:
    """In the background, tried until the checkpoint service has answered."""

    def __init__(self, checkpoints: services.CheckpointServiceAsyncStub) -> None:
        self._checkpoints = checkpoints
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, run_id: str) -> None:
        task = asyncio.create_task(self._remove(run_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    async def _remove(self, run_id: str) -> None:
        request = DeleteCheckpointRequest(name=names.peek_name(run_id))
        pause_secs = FIRST_PAUSE_SECS
        while True:
            try:
                await self._checkpoints.DeleteCheckpoint(request)
                return
            except LabError as error:
                if error.code is Code.NOT_FOUND:
                    return
                log.info("the peek waits to be deleted", run=run_id, reason=error.message)
            await asyncio.sleep(pause_secs)
            pause_secs = min(2 * pause_secs, LONGEST_PAUSE_SECS)
