"""Takes staged folders from the workers to the checkpoint service, while training goes on.

A checkpoint is written down before it is sent, so it arrives even when this service is restarted
or the other one is away for an hour. A peek is for someone who waits now, so it is given up early.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeAlias

import structlog

from lab import manifest, names
from lab.errors import LabError
from lab.v1 import checkpoint_pb2, run_pb2, worker_pb2
from lab.v1 import checkpoint_service_pb2_grpc as services
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.run_pb2 import Run
from lab.v1.worker_pb2 import (
    STAGING_KIND_CHECKPOINT,
    STAGING_KIND_PEEK,
    CheckpointStaged,
)
from services.trainer.records.store import Store
from services.trainer.saved import sending
from services.trainer.saved.turns import ASKED_SECS, MOST_SECS, Turns

Kind: TypeAlias = "worker_pb2.StagingKind.ValueType"

FIRST_PAUSE_SECS, LONGEST_PAUSE_SECS = 0.2, 5.0
PEEK_SECS: Final = 20.0

log = structlog.get_logger()


class Uploads:
    """`kept` and `lost` are told about checkpoints, not about peeks."""

    def __init__(
        self,
        stub: services.CheckpointServiceAsyncStub,
        store: Store,
        *,
        kept: Callable[[str, Checkpoint, CheckpointStaged], None],
        lost: Callable[[str, CheckpointStaged, str], None],
    ) -> None:
        self._stub = stub
        self._store = store
        self._kept, self._lost = kept, lost
        self._tasks: dict[asyncio.Task[Checkpoint], tuple[str, Kind]] = {}
        self._turns: dict[asyncio.Task[Checkpoint], Turns] = {}  # of those that take turns
        self._queues: dict[str, asyncio.Lock] = {}

    def put(self, run: Run, staged: CheckpointStaged) -> asyncio.Task[Checkpoint]:
        """Starts to send the folder, after those of the same run that came before."""
        run_id = names.run_id(run.name)
        self._hurry(self._of(run_id))  # or they would be ever later
        if staged.kind != STAGING_KIND_PEEK:
            self._store.save_upload(run_id, staged)
        header = _header(run, staged)
        turns = _turns(run, staged)
        task = asyncio.create_task(self._deliver(run_id, staged, header, turns), name=header.name)
        self._tasks[task] = run_id, staged.kind
        if turns is not None:
            self._turns[task] = turns
        task.add_done_callback(self._ended)
        return task

    async def idle(self, run_id: str) -> None:
        """Returns when nothing of the run is on its way, which is soon."""
        self._hurry(self._of(run_id))
        if tasks := self._of(run_id):
            await asyncio.wait(tasks)

    def busy(self, run_id: str) -> bool:
        return bool(self._of(run_id))

    def brings_ground(self, run_id: str) -> bool:
        """Whether something is on its way from which the run can be resumed."""
        return (run_id, STAGING_KIND_CHECKPOINT) in self._tasks.values()

    async def drop(self, run_id: str) -> None:
        """Forgets what is on its way; used when the run is deleted."""
        await _cancel(self._of(run_id))

    async def stop(self, *, grace_secs: float) -> None:
        """Lets what is on its way arrive for a while. The rest is sent after the next start."""
        self._hurry(list(self._tasks))
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=grace_secs)
        await _cancel(list(self._tasks))

    def _of(self, run_id: str) -> list[asyncio.Task[Checkpoint]]:
        return [task for task, (owner, _) in self._tasks.items() if owner == run_id]

    def _hurry(self, tasks: Iterable[asyncio.Task[Checkpoint]]) -> None:
        for task in tasks:
            if turns := self._turns.get(task):
                turns.hurry()

    def _ended(self, task: asyncio.Task[Checkpoint]) -> None:
        self._tasks.pop(task, None)
        self._turns.pop(task, None)
        if not task.cancelled():
            task.exception()  # whoever waits for it sees it; `lost` has told everyone else

    async def _deliver(
        self, run_id: str, staged: CheckpointStaged, header: Checkpoint, turns: Turns | None
    ) -> Checkpoint:
        folder = Path(staged.folder)
        peek = staged.kind == STAGING_KIND_PEEK
        try:
            async with self._queues.setdefault(run_id, asyncio.Lock()):
                checkpoint = await self._send(
                    folder, header, turns, patience_secs=PEEK_SECS if peek else None
                )
        except asyncio.CancelledError:
            raise
        except (LabError, OSError) as error:
            reason = error.message if isinstance(error, LabError) else str(error)
            log.error("checkpoint not kept", checkpoint=header.name, reason=reason)
            if not peek:
                self._store.remove_upload(staged)
                self._lost(run_id, staged, reason)
            await _remove(folder)
            raise
        if not peek:
            self._kept(run_id, checkpoint, staged)
            await asyncio.to_thread(manifest.unstage, folder)  # or a start would find it again
            self._store.remove_upload(staged)
        await _remove(folder)
        return checkpoint

    async def _send(
        self,
        folder: Path,
        header: Checkpoint,
        turns: Turns | None,
        *,
        patience_secs: float | None,
    ) -> Checkpoint:
        pause_secs = FIRST_PAUSE_SECS
        loop = asyncio.get_running_loop()
        deadline = None if patience_secs is None else loop.time() + patience_secs
        while True:
            try:
                rest = None if turns is None else turns.rest
                return await sending.send(self._stub, folder, header, rest=rest)
            except LabError as error:
                if error.code not in sending.PASSING:
                    raise
                if deadline is not None and loop.time() > deadline:
                    raise
                log.warning("checkpoint waits", checkpoint=header.name, reason=error.message)
            await asyncio.sleep(pause_secs)
            pause_secs = min(2 * pause_secs, LONGEST_PAUSE_SECS)


def _turns(run: Run, staged: CheckpointStaged) -> Turns | None:
    if not staged.beside_training:
        return None
    return Turns(
        sum(file.size_bytes for file in staged.files),
        beside=lambda: run.state == run_pb2.RUN_STATE_RUNNING,
        most_secs=ASKED_SECS if staged.request_id else MOST_SECS,
    )


def _header(run: Run, staged: CheckpointStaged) -> Checkpoint:
    run_id = names.run_id(run.name)
    match staged.kind:
        case worker_pb2.STAGING_KIND_PEEK:
            name, kind = names.peek_name(run_id), checkpoint_pb2.CHECKPOINT_KIND_PEEK
        case worker_pb2.STAGING_KIND_WEIGHTS:
            name = names.weights_name(run_id, staged.step)
            kind = checkpoint_pb2.CHECKPOINT_KIND_WEIGHTS
        case _:
            name = names.checkpoint_name(run_id, staged.step)
            kind = checkpoint_pb2.CHECKPOINT_KIND_FULL
    header = Checkpoint(
        name=name,
        kind=kind,
        step=staged.step,
        tokens=staged.tokens,
        spec=run.spec,
        preset=run.preset,
        fencing_token=staged.fencing_token,
        saved_because=staged.saved_because,
        inexact_reasons=run.inexact_reasons,
        files=staged.files,
    )
    if staged.HasField("loss"):
        header.loss = staged.loss
    if staged.HasField("validation_loss"):
        header.validation_loss = staged.validation_loss
    return header


async def _remove(folder: Path) -> None:
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _cancel(tasks: list[asyncio.Task[Checkpoint]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
