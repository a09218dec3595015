"""A deleted run's checkpoints: into the trash of the checkpoint service, back from it, or gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import structlog

from lab import names
from lab.errors import Code, LabError
from lab.v1 import checkpoint_service_pb2_grpc as services
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.checkpoint_service_pb2 import (
    DeleteCheckpointRequest,
    RestoreCheckpointRequest,
)
from lab.v1.run_pb2 import Run
from services.trainer.records.records import Records
from services.trainer.records.store import Store
from services.trainer.saved.shelf import shelf_of
from services.trainer.saved.uploads import Uploads

FIRST_PAUSE_SECS: Final = 0.2
LONGEST_PAUSE_SECS: Final = 5.0

log = structlog.get_logger()


class Belongings:
    """Taking away goes on in the background until the checkpoint service has answered; who takes
    back waits for it."""

    def __init__(
        self,
        checkpoints: services.CheckpointServiceAsyncStub,
        *,
        records: Records,
        uploads: Uploads,
        store: Store,
    ) -> None:
        self._checkpoints = checkpoints
        self._records = records
        self._uploads = uploads
        self._store = store
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def put_away(self, run_id: str) -> None:
        """Into the trash, and the peek away; what is pinned or what a fork began from stays."""
        self._start(run_id, lambda: self._put_away(run_id))

    async def take_back(self, run: Run) -> None:
        """What went into the trash with the run, or after it; raises when the service is away."""
        await self.leave_alone(names.run_id(run.name))
        for checkpoint in await self._trashed_with(run):
            try:
                await self._checkpoints.RestoreCheckpoint(
                    RestoreCheckpointRequest(name=checkpoint.name)
                )
            except LabError as error:
                if error.code not in (Code.NOT_FOUND, Code.ALREADY_EXISTS):
                    raise

    def discard(self, run: Run) -> None:
        """For good: what `put_away` takes, and what is in the trash because of the run. The next
        life of the trainer goes on with what this one does not finish."""
        self._start(names.run_id(run.name), lambda: self._discard(run))

    def busy(self, run_id: str) -> bool:
        return run_id in self._tasks

    async def rested(self, run_id: str, *, secs: float) -> None:
        """Returns when nothing is left to do, or after so many seconds."""
        if task := self._tasks.get(run_id):
            await asyncio.wait([task], timeout=secs)

    async def leave_alone(self, run_id: str) -> None:
        """Returns when nothing is taken away any more."""
        if task := self._tasks.get(run_id):
            task.cancel()
            await asyncio.wait([task])

    def stop(self) -> None:
        for task in list(self._tasks.values()):
            task.cancel()

    def _start(self, run_id: str, work: Callable[[], Awaitable[None]]) -> None:
        before = self._tasks.get(run_id)
        if before is not None:
            before.cancel()
        task = self._tasks[run_id] = asyncio.create_task(_until_it_works(run_id, work))

        def ended(task: asyncio.Task[None]) -> None:
            if self._tasks.get(run_id) is task:
                del self._tasks[run_id]

        task.add_done_callback(ended)

    async def _put_away(self, run_id: str) -> None:
        await self._delete(names.peek_name(run_id))
        await self._uploads.idle(run_id)  # what is still on its way would come too late
        for name in await self._unneeded(names.run_name(run_id), by=self._records.all()):
            await self._delete(name)

    async def _discard(self, run: Run) -> None:
        run_id = names.run_id(run.name)
        await self._delete(names.peek_name(run_id))
        others = [*self._records.all(), *self._records.trashed()]
        for name in await self._unneeded(run.name, by=others):
            await self._delete(name, permanently=True)
        for checkpoint in await self._trashed_with(run):
            await self._delete(checkpoint.name, permanently=True)
        self._store.gone(run_id)

    async def _unneeded(self, run: str, *, by: Iterable[Run]) -> list[str]:
        """Its checkpoints, but for those that are pinned or that one of the others began from."""
        begun_from = {other.parent.checkpoint for other in by if other.HasField("parent")}
        return [
            checkpoint.name
            for checkpoint in (await shelf_of(self._checkpoints, run)).checkpoints
            if not checkpoint.pinned and checkpoint.name not in begun_from
        ]

    async def _trashed_with(self, run: Run) -> list[Checkpoint]:
        """In the trash since the run was, not before: those were deleted on their own."""
        if not run.HasField("delete_time"):
            return []
        since = run.delete_time.ToMilliseconds()
        trash = await shelf_of(self._checkpoints, run.name, trashed=True)
        return [
            checkpoint
            for checkpoint in trash.checkpoints
            if checkpoint.delete_time.ToMilliseconds() >= since
        ]

    async def _delete(self, name: str, *, permanently: bool = False) -> None:
        """Pinned or gone meanwhile is as well."""
        try:
            await self._checkpoints.DeleteCheckpoint(
                DeleteCheckpointRequest(name=name, permanently=permanently)
            )
        except LabError as error:
            if error.code not in (Code.NOT_FOUND, Code.FAILED_PRECONDITION):
                raise


async def _until_it_works(run_id: str, work: Callable[[], Awaitable[None]]) -> None:
    pause_secs = FIRST_PAUSE_SECS
    while True:
        try:
            return await work()
        except LabError as error:
            log.info("checkpoints wait to be taken away", run=run_id, reason=error.message)
        await asyncio.sleep(pause_secs)
        pause_secs = min(2 * pause_secs, LONGEST_PAUSE_SECS)
