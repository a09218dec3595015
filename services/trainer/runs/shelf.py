"""Keeps each run's newest checkpoint true when checkpoints are deleted, restored or retired by
somebody else: the checkpoint service tells the name, and is asked how it is now."""

from __future__ import annotations

import asyncio

import nats.errors
import structlog
from nats.aio.msg import Msg

from lab import names
from lab.bus import Bus
from lab.bus.subjects import topic, who
from lab.errors import LabError
from lab.v1 import checkpoint_service_pb2_grpc as services
from services.trainer.runs import sending
from services.trainer.runs.records import Records

PAUSE_SECS = 1.0

log = structlog.get_logger()


class ShelfWatch:
    """Two background tasks: `listen` and `look`."""

    def __init__(
        self, bus: Bus, checkpoints: services.CheckpointServiceAsyncStub, records: Records
    ) -> None:
        self._bus = bus
        self._checkpoints = checkpoints
        self._records = records
        self._doubtful: set[str] = set()
        self._doubt = asyncio.Event()

    async def listen(self) -> None:
        """Over every connection there will be. What was said before one is not known, so then
        every run that has a checkpoint is looked at."""
        while True:
            connection = await self._bus.connection()
            try:
                await connection.client.subscribe(topic("shelf"), cb=self._heard)
                for run in self._records.all():
                    if run.latest_checkpoint:
                        self._doubtful.add(names.run_id(run.name))
                self._doubt.set()
                await connection.closed.wait()
            except (nats.errors.Error, OSError) as error:
                log.info("changes of checkpoints not heard", error=str(error))
                await asyncio.sleep(PAUSE_SECS)

    async def look(self) -> None:
        while True:
            await self._doubt.wait()
            self._doubt.clear()
            try:
                while self._doubtful:
                    await self._look_at(next(iter(self._doubtful)))
            except LabError as error:
                log.info("newest checkpoint not known", reason=error.message)
                await asyncio.sleep(PAUSE_SECS)
                self._doubt.set()

    async def _heard(self, message: Msg) -> None:
        self._doubtful.add(who(message.subject))
        self._doubt.set()

    async def _look_at(self, run_id: str) -> None:
        before = self._records.get(run_id).latest_checkpoint if self._records.has(run_id) else ""
        found = await sending.newest(self._checkpoints, names.run_name(run_id))
        newest = found[0].name if found else ""
        self._doubtful.discard(run_id)
        if not self._records.has(run_id):
            return  # deleted; its checkpoints stay
        run = self._records.get(run_id)
        if run.latest_checkpoint != before:
            self._doubtful.add(run_id)  # one was saved meanwhile: the list may be older
        elif newest != before:
            run.latest_checkpoint = newest
            self._records.changed(run_id)
