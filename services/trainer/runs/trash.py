"""Runs that were deleted and can be taken back for a while. Their history stays where it is; their
checkpoints go to the trash of the checkpoint service and come back with them."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterable
from typing import Final

import structlog

from lab import names
from lab.errors import LabError
from lab.v1 import run_pb2
from lab.v1.run_pb2 import Run
from services.trainer.records import state
from services.trainer.runs.lives import Lives
from services.trainer.runs.surroundings import Surroundings
from services.trainer.saved.belongings import Belongings

KEEP_SECS: Final = 7 * 86_400.0
LOOK_SECS: Final = 3_600.0
PATIENCE_SECS: Final = 2.0

log = structlog.get_logger()


class Trash:
    """`keep_secs` of 0 keeps nothing."""

    def __init__(self, around: Surroundings, lives: Lives, *, keep_secs: float = KEEP_SECS) -> None:
        self._around, self._lives = around, lives
        self._records = around.records
        self._keep_secs = keep_secs
        self._belongings = Belongings(
            around.checkpoints, records=around.records, uploads=around.uploads, store=around.store
        )

    async def delete(self, run_id: str, *, permanently: bool) -> Run | None:
        """The run in the trash, or None when it is gone. Raises PreconditionFailed unless the run
        is at rest."""
        run = self._records.get(run_id)
        if not run.HasField("delete_time"):
            state.after_verb(run, run_pb2.RUN_VERB_DELETE)
        if permanently or self._keep_secs <= 0:
            await self._discard(run_id)
            return None
        if not run.HasField("delete_time"):
            await self._put(run_id)
        return run

    async def restore(self, run_id: str) -> Run:
        """As it was, its checkpoints with it; one that waited for a slot waits again. Raises
        Unavailable when its checkpoints cannot be asked for now."""
        run = self._records.get(run_id)
        if not run.HasField("delete_time"):
            return run
        await self._belongings.take_back(run)
        if not self._records.has(run_id) or not run.HasField("delete_time"):
            return self._records.get(run_id)  # somebody was faster
        run.ClearField("delete_time")
        run.ClearField("expire_time")
        self._records.changed(run_id)
        if run.state == run_pb2.RUN_STATE_PENDING:
            self._lives.begin(run_id)
        return run

    def take_up(self, leaving: Iterable[Run]) -> None:
        """After a start: what the last life of the trainer may not have finished. `leaving` are
        those that were deleted for good."""
        for run in self._records.trashed():
            self._belongings.put_away(names.run_id(run.name))
        for run in leaving:
            if not self._records.has(names.run_id(run.name)):
                self._belongings.discard(run)

    def leaves(self, run_id: str) -> bool:
        """Whether a run of that name was deleted for good, and its checkpoints are not yet gone."""
        return not self._records.has(run_id) and self._belongings.busy(run_id)

    async def empty(self, *, look_secs: float = LOOK_SECS) -> None:
        """Lets go of what was there long enough, for as long as the service lives."""
        while True:
            for run in self._records.trashed():
                if run.expire_time.ToNanoseconds() <= time.time_ns():
                    log.info("out of the trash for good", run=run.name)
                    try:
                        await self._discard(names.run_id(run.name))
                    except LabError as error:  # restored or gone meanwhile
                        log.info("stays in the trash", run=run.name, reason=error.message)
            await asyncio.sleep(look_secs)

    def stop(self) -> None:
        """What is not done yet is taken up after the next start."""
        self._belongings.stop()

    async def _put(self, run_id: str) -> None:
        run = self._records.get(run_id)
        self._lives.cancel_restart(run_id)
        run.ClearField("restart_time")
        run.delete_time.GetCurrentTime()
        run.expire_time.FromNanoseconds(
            run.delete_time.ToNanoseconds() + int(self._keep_secs * 1e9)
        )
        self._records.changed(run_id)
        await self._lives.end(run_id)
        if self._records.has(run_id):  # else it is out of the trash already, and all goes
            self._belongings.put_away(run_id)

    async def _discard(self, run_id: str) -> None:
        """Answers when its checkpoints are gone, too, or after a while: they may have to wait for
        the checkpoint service."""
        self._lives.cancel_restart(run_id)
        last, farewell = self._records.remove(run_id)
        await self._lives.end(run_id)
        await self._around.uploads.drop(run_id)
        await self._records.bury(last, farewell)
        await asyncio.to_thread(shutil.rmtree, self._around.staging / run_id, ignore_errors=True)
        self._belongings.discard(last)
        await self._belongings.rested(run_id, secs=PATIENCE_SECS)
