"""What a trainer does first: takes up what its last life left on disk, whatever ended it."""

import asyncio
import shutil
from collections.abc import Set
from pathlib import Path

import structlog

from lab import names
from lab.bus import Publisher
from lab.errors import Damaged
from lab.occupied import occupied
from lab.v1 import run_pb2
from lab.v1.run_pb2 import Run
from lab.v1.worker_pb2 import CheckpointStaged
from services.trainer.journal import journal_file
from services.trainer.records import state, stats
from services.trainer.records.state import Happening
from services.trainer.records.store import Stored
from services.trainer.runs.lives import Lives
from services.trainer.runs.surroundings import Surroundings
from services.trainer.saved import untold
from services.trainer.saved.leftovers import order, remove_but, whole_saves

DAMAGED = (
    "its history could not be read from disk and was set aside: metrics, samples and log from "
    "before are gone, its checkpoints are not touched"
)
REASON = "the trainer ended while this run was training; its metrics are kept"

log = structlog.get_logger()


async def recover(
    stored: Stored, around: Surroundings, lives: Lives, publisher: Publisher, *, histories: Path
) -> None:
    """Runs that were training are interrupted, runs that waited wait again, facts that JetStream
    has not acknowledged are published, checkpoints that were on their way are sent."""
    known = {names.run_id(run.name) for run in stored.runs}
    await _remove_others(histories, known)
    around.records.restore(stored.runs, requests=stored.requests, graves=stored.graves)
    publisher.publish(stored.farewells)
    before = {run.name: run.state for run in stored.runs}
    orphaned = await asyncio.to_thread(_orphaned, around.staging)
    waiting = await asyncio.to_thread(_still_to_send, stored, around.staging, but=orphaned)
    for run in stored.runs:
        of_run = [staged for run_id, staged in waiting if run_id == names.run_id(run.name)]
        await _take_up(run, around, publisher, of_run)
    folders = {Path(staged.folder) for _, staged in waiting}
    for attempt in set(around.staging.glob("*/*")) - orphaned:
        await asyncio.to_thread(remove_but, attempt, folders)
    for run_id, staged in waiting:
        log.info("checkpoint still to be sent", run=run_id, step=staged.step)
        around.uploads.put(around.records.get(run_id), staged)
    for attempt in orphaned:
        if around.records.has(run_id := attempt.parent.name):
            around.orphans.expect(run_id, attempt, told=folders)
    for run in reversed(around.records.all()):
        run_id = names.run_id(run.name)
        if run.state == run_pb2.RUN_STATE_PENDING:
            lives.begin(run_id)
        elif run.HasField("restart_time"):
            lives.wait_again(run_id)
        elif run.state != before[run.name]:
            lives.interrupted(run_id, was=before[run.name])


async def _take_up(
    run: Run, around: Surroundings, publisher: Publisher, waiting: list[CheckpointStaged]
) -> None:
    run_id = names.run_id(run.name)
    try:
        told, published = await around.journal.open(run_id)
    except Damaged as error:
        kept = await around.journal.set_aside(run_id)
        log.error("journal damaged", run=run_id, reason=error.message, kept=str(kept))
        told, published = None, around.journal.last_sequence(run_id)
        run.state_reason = f"{run.state_reason}; {DAMAGED}" if run.state_reason else DAMAGED
    if published < around.journal.last_sequence(run_id):
        publisher.catch_up(run.name, after_sequence=published)
    if run.state in state.ACTIVE:
        if told is not None:
            progress = await around.journal.read(run_id, journal_file.progress_at)
            if progress.step or not run.HasField("parent"):
                stats.set_back(run.stats, progress, step=progress.step)
            for staged in waiting:
                await untold.tell(run_id, staged, records=around.records, journal=around.journal)
        log.warning("run interrupted", run=run_id, step=run.stats.step)
        around.records.happen(run_id, Happening.VANISHED, reason=REASON)
    elif told is None or told.run_state_changed.run.state != run.state:
        around.records.changed(run_id)  # it ended before it could say so


async def _remove_others(folder: Path, known: set[str]) -> None:
    """Histories of runs whose deletion was cut short."""

    def work() -> None:
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name not in known:
                shutil.rmtree(path, ignore_errors=True)

    await asyncio.to_thread(work)


def _orphaned(staging: Path) -> set[Path]:
    """The folders in which a worker of the last life has not come to its end."""
    return {attempt for attempt in staging.glob("*/*") if occupied(attempt)}


def _still_to_send(
    stored: Stored, staging: Path, *, but: Set[Path]
) -> list[tuple[str, CheckpointStaged]]:
    """What the last life wrote down, and what its workers finished when it was no longer there."""
    known = {Path(staged.folder) for _, staged in stored.uploads}
    waiting = list(stored.uploads)
    for run in stored.runs:
        run_id = names.run_id(run.name)
        for attempt in set(staging.glob(f"{run_id}/*")) - but:
            waiting += [(run_id, staged) for staged in whole_saves(attempt, but=known)]
    return sorted(waiting, key=lambda each: order(each[1]))
