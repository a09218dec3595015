"""Keeps each run's newest checkpoint true when checkpoints are deleted, restored or retired by
somebody else: the checkpoint service tells the name, and is asked how it is now."""

from __future__ import annotations

import asyncio

import structlog

from lab import names
from lab.bus import Bus, listen
from lab.bus.subjects import topic
from lab.errors import LabError
from lab.v1 import checkpoint_service_pb2_grpc as services
from lab.v1.event_pb2 import Event
from services.trainer.records.records import Records
from services.trainer.saved.shelf import shelf_of

PAUSE_SECS = 1.0

log = structlog.get_logger()


class NewestWatch:
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
        await listen(self._bus, topic("shelf"), heard=self._heard, joined=self._joined)

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

    def _heard(self, event: Event) -> None:
        run_id, _ = names.checkpoint_ids(event.checkpoint_changed.checkpoint)
        self._doubt_of(run_id)

    def _joined(self) -> None:
        for run in self._records.all():
            if run.latest_checkpoint:
                self._doubt_of(names.run_id(run.name))

    def _doubt_of(self, run_id: str) -> None:
        self._doubtful.add(run_id)
        self._doubt.set()

    async def _look_at(self, run_id: str) -> None:
        before = self._records.get(run_id).latest_checkpoint if self._records.has(run_id) else ""
        found = (await shelf_of(self._checkpoints, names.run_name(run_id))).full
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
