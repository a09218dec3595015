"""What every life of a run needs, in one value."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab.text import Corpora
from lab.v1 import checkpoint_service_pb2_grpc as services
from services.trainer.journal.journal import Journal
from services.trainer.records.records import Records
from services.trainer.records.store import Store
from services.trainer.runs.worker_process import Worker
from services.trainer.saved.orphans import Orphans
from services.trainer.saved.uploads import Uploads


class StartWorker(Protocol):
    """Starts a worker for a run."""

    async def __call__(self, run: str, *, processes: int) -> Worker:
        """Of several processes; they are one worker, with one link."""


@dataclass(frozen=True)
class Surroundings:
    """Shared by all lives; `slots` says how many may train at the same time."""

    records: Records
    store: Store
    journal: Journal
    uploads: Uploads
    orphans: Orphans
    corpora: Corpora
    checkpoints: services.CheckpointServiceAsyncStub
    start_worker: StartWorker
    slots: asyncio.Semaphore
    staging: Path
