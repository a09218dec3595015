"""What the trainer service is made of."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import Field

from lab import folders, names
from lab.bus import Bus, Publisher
from lab.errors import NotFound
from lab.rpc.client import channel
from lab.rpc.server import GrpcServer, Servicer
from lab.service.beat import join_bus
from lab.service.run import Server, Service
from lab.service.settings import ServiceSettings
from lab.text import Assets, Corpora
from lab.v1 import trainer_service_pb2_grpc as services
from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceStub
from lab.v1.event_pb2 import Event
from services.trainer.journal.journal import Journal
from services.trainer.journal.writer import Writer, check_sqlite
from services.trainer.records.records import Records
from services.trainer.records.store import Store, Stored, lock_folder, read_store, store_path
from services.trainer.runs import worker_process
from services.trainer.runs.lives import Lives
from services.trainer.runs.preflights import Preflights
from services.trainer.runs.queue import Queue
from services.trainer.runs.recovery import recover
from services.trainer.runs.restarts import FIRST_PAUSE_SECS
from services.trainer.runs.runs import Runs
from services.trainer.runs.surroundings import StartWorker, Surroundings
from services.trainer.saved.newest import NewestWatch
from services.trainer.saved.orphans import Orphans
from services.trainer.saved.reports import Reports
from services.trainer.saved.uploads import Uploads
from services.trainer.servicer import TrainerServicer

STOP_REASON = "the trainer was shut down"
# Within the time a supervisor gives: whatever does not make it is on disk and goes out next time.
LAST_UPLOAD_SECS = 5.0
LAST_PUBLISH_SECS = 1.0
DAY_SECS = 86_400


class Settings(ServiceSettings):
    port: int = Field(50051, ge=0, le=65535, description="port to listen on; 0 takes any free one")
    checkpoint_address: str = Field("127.0.0.1:50053", description="the checkpoint service")
    slots: int = Field(1, ge=1, le=64, description="runs that may train at the same time")
    worker_nice: int = Field(10, ge=0, le=19, description="how far workers step back for services")
    silence_secs: float = Field(
        worker_process.SILENCE_SECS, gt=1, description="a worker silent for longer is ended"
    )
    restart_secs: float = Field(
        FIRST_PAUSE_SECS, gt=0, description="pause before an interrupted run resumes by itself"
    )
    trash_days: float = Field(
        7.0, ge=0, description="how long a deleted run is kept; 0 is not at all"
    )
    trash_look_secs: float = Field(
        3600.0, gt=0, description="how often the trash is looked through"
    )
    stop_secs: float = Field(8.0, gt=0, description="time that workers get when the trainer ends")


async def build(settings: Settings, service: Service) -> Server:
    return await wire(
        settings,
        service,
        start_worker=partial(
            worker_process.start_worker,
            nice=settings.worker_nice,
            silence_secs=settings.silence_secs,
        ),
    )


async def wire(settings: Settings, service: Service, *, start_worker: StartWorker) -> Server:
    check_sqlite()
    folder = settings.home / "trainer"
    lock = lock_folder(folder)
    service.on_exit(partial(asyncio.to_thread, lock.close))

    bus = await join_bus(service, settings.nats_url)
    books = await _open_books(folder, service, bus)
    store, journal, records, publisher = books.store, books.journal, books.records, books.publisher
    reports = Reports(records)

    to_checkpoint = channel(settings.checkpoint_address, peer="checkpoint", caller="trainer")
    service.on_exit(to_checkpoint.close)
    service.needs_grpc("checkpoint", settings.checkpoint_address)
    checkpoints = CheckpointServiceStub(to_checkpoint)
    uploads = Uploads(checkpoints, store, kept=reports.kept, lost=reports.lost)
    orphans = Orphans(records, journal, uploads)
    corpora = Corpora(
        settings.home / "corpora", Assets(settings.home / "assets", folders.asset_mirror())
    )
    around = Surroundings(
        records=records,
        store=store,
        journal=journal,
        uploads=uploads,
        orphans=orphans,
        corpora=corpora,
        checkpoints=checkpoints,
        start_worker=start_worker,
        slots=asyncio.Semaphore(settings.slots),
        staging=folder / "staging",
    )
    lives = Lives(around, restart_secs=settings.restart_secs)
    runs = Runs(around, lives, trash_secs=settings.trash_days * DAY_SECS)
    await recover(books.stored, around, lives, publisher, histories=folder / "runs")
    runs.trash.take_up(books.stored.leaving)
    publishing = service.tasks.start("publish facts", publisher.run())
    newest = NewestWatch(bus, checkpoints, records)
    service.tasks.start("hear changes of checkpoints", newest.listen())
    service.tasks.start("look at checkpoints", newest.look())
    service.tasks.start("empty the trash", runs.trash.empty(look_secs=settings.trash_look_secs))

    async def put_away() -> None:
        orphans.stop()
        await runs.stop_all(STOP_REASON, grace_secs=settings.stop_secs)
        await uploads.stop(grace_secs=LAST_UPLOAD_SECS)
        if bus.connected:
            with contextlib.suppress(TimeoutError):  # the rest is published after the next start
                await asyncio.wait_for(publisher.idle(), LAST_PUBLISH_SECS)
        publishing.cancel()
        journal.write_marks()

    service.on_exit(put_away)
    preflights = Preflights(
        corpora, settings.home, training=runs.training, nice=settings.worker_nice
    )
    service.tasks.start("measure steps", preflights.measure())
    queue = Queue(records, lives, preflights, slots=settings.slots)
    servicer = TrainerServicer(runs, journal, corpora, preflights, queue)
    answering = Servicer(
        services.add_TrainerServiceServicer_to_server, servicer, "lab.v1.TrainerService"
    )
    return _HangingUp(lives, [answering], host=settings.host, port=settings.port)


@dataclass(frozen=True)
class _Books:
    """What is written down, and how it gets out."""

    store: Store
    stored: Stored  # what the store held at the start
    journal: Journal
    records: Records
    publisher: Publisher


async def _open_books(folder: Path, service: Service, bus: Bus) -> _Books:
    """Takes the folder over: from here on no other trainer adds to it."""
    writer = Writer(first=store_path(folder), failed=partial(_fail, service))
    writer.start()
    service.on_exit(writer.stop)
    store = Store(folder, writer)
    await store.take_over()
    stored = await asyncio.to_thread(read_store, folder)  # nobody else changes it any more

    async def refill(run: str, after_sequence: int, limit: int) -> Sequence[Event]:
        try:
            return await journal.facts_after(names.run_id(run), after_sequence, limit)
        except NotFound:
            return []  # deleted meanwhile

    def confirmed(events: Sequence[Event]) -> None:
        journal.published(events)
        for event in events:
            if event.HasField("run_deleted"):
                store.farewell_published(names.run_id(event.run))

    publisher = Publisher(bus, confirmed=confirmed, refill=refill)
    journal = Journal(folder / "runs", writer, committed=publisher.publish)
    records = Records(store, journal, publish=publisher.publish)
    return _Books(store, stored, journal, records, publisher)


class _HangingUp(GrpcServer):
    """Before it stops, it ends the streams that would keep it from stopping."""

    def __init__(
        self, lives: Lives, servicers: Sequence[Servicer], *, host: str, port: int
    ) -> None:
        super().__init__(servicers, host=host, port=port)
        self._lives = lives

    async def stop(self, grace_secs: float) -> None:
        self._lives.hang_up()
        await super().stop(grace_secs)


def _fail(service: Service, error: BaseException) -> None:
    """A dead writer ends the service: nothing can be promised any more."""
    if not service.tasks.failed.done():
        service.tasks.failed.set_result(error)
