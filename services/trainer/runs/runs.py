"""Runs: what may be asked of them. Translating requests is the servicer's work, not this file's."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import structlog

from lab import names
from lab.errors import AlreadyExists, Code, InvalidArgument, LabError, NotFound, Unavailable
from lab.spec import overlay, saving_policy
from lab.v1 import run_pb2
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.checkpoint_service_pb2 import DeleteCheckpointRequest
from lab.v1.event_pb2 import Event
from lab.v1.run_pb2 import Run
from lab.v1.trainer_service_pb2 import CreateRunRequest, ForkRunRequest, UpdateRunRequest
from lab.v1.worker_pb2 import (
    STAGING_KIND_CHECKPOINT,
    STAGING_KIND_PEEK,
    STAGING_KIND_WEIGHTS,
)
from services.trainer.runs import asking, creating, state
from services.trainer.runs.forking import fork_of
from services.trainer.runs.life import Life
from services.trainer.runs.restarts import FIRST_PAUSE_SECS, Restarts
from services.trainer.runs.state import State, Verb
from services.trainer.runs.surroundings import Surroundings

MAX_ADVANCE: Final = 10_000
WATCH_PAGE: Final = 500

log = structlog.get_logger()


class Runs:
    """Every verb answers the run as accepted, after that was written down."""

    def __init__(self, around: Surroundings, *, restart_secs: float = FIRST_PAUSE_SECS) -> None:
        self._around = around
        self._records, self._journal = around.records, around.journal
        self._lives: dict[str, Life] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._creating = asyncio.Lock()
        self._errands: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()
        self._restarts = Restarts(
            self._records,
            begin=self.begin,
            may_come=around.uploads.brings_ground,
            first_pause_secs=restart_secs,
        )

    def get(self, run_id: str) -> Run:
        return self._records.get(run_id)

    def find(self, run_id: str) -> Run | None:
        return self._records.get(run_id) if self._records.has(run_id) else None

    def all(self) -> list[Run]:
        """Newest first."""
        return self._records.all()

    def training(self) -> bool:
        """Whether any run makes steps, or is about to."""
        return any(
            run.state in (run_pb2.RUN_STATE_STARTING, run_pb2.RUN_STATE_RUNNING)
            for run in self.all()
        )

    async def create(self, request: CreateRunRequest) -> Run:
        """Queues a new run, or answers the one that an equal request has made."""
        if request.validate_only:
            return await creating.run_from(request, self._around.corpora)
        return await self._add(
            request, request.preset, lambda: creating.run_from(request, self._around.corpora)
        )

    async def fork(self, request: ForkRunRequest) -> Run:
        """A new run that goes on from a checkpoint, or the one that an equal request has made."""

        async def make() -> Run:
            return await fork_of(request, self._around.checkpoints, self._around.corpora)

        return await make() if request.validate_only else await self._add(request, "fork", make)

    async def _add(
        self,
        request: CreateRunRequest | ForkRunRequest,
        prefix: str,
        make: Callable[[], Awaitable[Run]],
    ) -> Run:
        async with self._creating:  # so that a repeated request cannot overtake the first
            if request.request_id:
                earlier = self._records.requested(request.request_id)
                if earlier is not None:
                    return earlier
            self._refuse_taken(request.run_id)
            run = await make()
            run_id = request.run_id or self._free_id(run.preset or prefix)
            run.display_name = run.display_name or run_id
            self._records.add(run_id, run, request_id=request.request_id)
            self.begin(run_id)
        return await self._accepted(run_id)

    async def update(self, run_id: str, request: UpdateRunRequest) -> Run:
        run = self._records.get(run_id)
        creating.check_text(
            "display_name", request.display_name, limit=creating.MAX_NAME_CHARACTERS
        )
        creating.check_text("notes", request.notes, limit=creating.MAX_NOTES_CHARACTERS)
        tags = asking.checked_tags(request.tags.tags)
        if request.HasField("live"):
            await asyncio.to_thread(asking.check_live, run, request.live, self._around.corpora)
        if request.HasField("display_name"):
            run.display_name = request.display_name.strip() or run_id
        if request.HasField("notes"):
            run.notes = request.notes
        if request.HasField("tags"):
            run.tags[:] = tags
        if request.HasField("live"):
            overlay(run.live, request.live)
        self._records.changed(run_id)
        if request.HasField("live") and (life := self._lives.get(run_id)):
            await life.adjust(run.live)
        return await self._accepted(run_id)

    async def pause(self, run_id: str) -> Run:
        if self._move(run_id, run_pb2.RUN_VERB_PAUSE) and (life := self._lives.get(run_id)):
            await life.pause()
        return await self._accepted(run_id)

    async def resume(self, run_id: str) -> Run:
        ended = self._records.get(run_id).state in state.ENDED
        if ended and run_id in self._tasks:
            await asyncio.wait([self._tasks[run_id]])  # its last life is putting things away
        if self._move(run_id, run_pb2.RUN_VERB_RESUME):
            self._restarts.cancel(run_id)
            self._records.get(run_id).restarts = 0
            if self._records.get(run_id).state == run_pb2.RUN_STATE_PENDING:
                self.begin(run_id)
            elif life := self._lives.get(run_id):
                await life.resume()
        return await self._accepted(run_id)

    async def advance(self, run_id: str, steps: int) -> Run:
        if not 1 <= steps <= MAX_ADVANCE:
            raise InvalidArgument.field("steps", f"must be 1 to {MAX_ADVANCE:,}, but is {steps:,}")
        if self._move(run_id, run_pb2.RUN_VERB_ADVANCE) and (life := self._lives.get(run_id)):
            await life.advance(steps)
        return await self._accepted(run_id)

    async def stop(self, run_id: str, *, save: bool | None) -> Run:
        """`save` of None means what the spec says."""
        run = self._records.get(run_id)
        if self._move(run_id, run_pb2.RUN_VERB_STOP):
            if run.state == run_pb2.RUN_STATE_STOPPED:  # it was waiting: for a slot, to resume
                self._restarts.cancel(run_id)
                await self._end_task(run_id)
            elif life := self._lives.get(run_id):
                policy = saving_policy(run.spec.hooks, run.live)
                if save is None:
                    await life.stop(save=policy.on_stop, weights_only=policy.weights_only)
                else:
                    await life.stop(save=save)
        return await self._accepted(run_id)

    async def snapshot(self, run_id: str, *, weights_only: bool = False) -> Checkpoint:
        """A checkpoint of this moment, whole and listed."""
        self._move(run_id, run_pb2.RUN_VERB_SNAPSHOT)
        kind = STAGING_KIND_WEIGHTS if weights_only else STAGING_KIND_CHECKPOINT
        return await self._life(run_id).stage(kind)

    async def peek(self, run_id: str) -> Checkpoint:
        """The weights of this moment, for a look inside."""
        self._move(run_id, run_pb2.RUN_VERB_PEEK)
        return await self._life(run_id).stage(STAGING_KIND_PEEK)

    async def delete(self, run_id: str) -> None:
        """Removes the run, its history and its peek. Checkpoints stay."""
        state.after_verb(self._records.get(run_id), run_pb2.RUN_VERB_DELETE)
        self._restarts.cancel(run_id)
        farewell = self._records.remove(run_id)
        await self._end_task(run_id)
        await self._around.uploads.drop(run_id)
        await self._records.bury(run_id, farewell)
        await asyncio.to_thread(shutil.rmtree, self._around.staging / run_id, ignore_errors=True)
        errand = asyncio.create_task(self._delete_peek(run_id))
        self._errands.add(errand)
        errand.add_done_callback(self._errands.discard)

    async def watch(self, run_id: str, *, after_sequence: int) -> AsyncIterator[Event]:
        """Every fact after the sequence, then as they are committed, until the run is deleted."""
        self._records.get(run_id)
        cursor = after_sequence
        with contextlib.suppress(NotFound):
            while not self._closing.is_set():
                events = await self._journal.facts_after(run_id, cursor, WATCH_PAGE)
                for event in events:
                    yield event
                    cursor = event.sequence
                if not events:
                    await self._next_fact(run_id, cursor)
        if self._closing.is_set():
            raise Unavailable("the trainer is going away; connect again with the last sequence")
        yield self._records.last_word(run_id)

    def begin(self, run_id: str) -> None:
        """Starts a life for a run that is PENDING."""
        life = self._lives[run_id] = Life(run_id, self._around, interrupted=self._restarts.decide)
        # In a context of its own: it outlives the request that began it, whose id it must not log.
        task = self._tasks[run_id] = asyncio.create_task(
            life.live(), name=f"life of {run_id}", context=contextvars.Context()
        )

        def ended(task: asyncio.Task[None]) -> None:
            if self._tasks.get(run_id) is task:
                del self._tasks[run_id], self._lives[run_id]
                if not self._closing.is_set():
                    self._restarts.wait(run_id)
            if not task.cancelled() and task.exception():
                log.error("a life ended badly", run=run_id, exc_info=task.exception())

        task.add_done_callback(ended)

    def interrupted(self, run_id: str, *, was: State) -> None:
        """The run has just become INTERRUPTED, whatever it was before: it may go on by itself."""
        self._restarts.decide(run_id, was)
        self._restarts.wait(run_id)

    def wait_again(self, run_id: str) -> None:
        """The trainer ended while the run was waiting to go on by itself."""
        self._restarts.take_up(run_id)

    def hang_up(self) -> None:
        """Ends the streams, so that the server need not wait for those who listen for ever."""
        self._closing.set()

    async def stop_all(self, reason: str, *, grace_secs: float) -> None:
        """Every worker ends at its next step boundary, or is killed when the time is up."""
        self.hang_up()
        self._restarts.stop()
        waiting = []
        for run_id, life in list(self._lives.items()):
            run = self._records.get(run_id)
            if run.state == run_pb2.RUN_STATE_PENDING:
                await self._end_task(run_id)  # it goes on waiting in the next life of the trainer
            else:
                policy = saving_policy(run.spec.hooks, run.live)
                await life.leave(reason, save=policy.on_stop, weights_only=policy.weights_only)
                waiting.append(self._tasks[run_id])
        if waiting:
            _, slow = await asyncio.wait(waiting, timeout=grace_secs)
            for life in list(self._lives.values()):
                life.kill()
            if slow:
                await asyncio.wait(slow)
        for errand in list(self._errands):
            errand.cancel()

    def _move(self, run_id: str, verb: Verb) -> bool:
        """Moves the run as the verb says; False when its result held already."""
        to = state.after_verb(self._records.get(run_id), verb)
        if to is None:
            return False
        if to != self._records.get(run_id).state:
            self._records.move(run_id, to)
        return True

    def _life(self, run_id: str) -> Life:
        life = self._lives.get(run_id)
        if life is None:
            raise Unavailable(f"{names.run_name(run_id)} is just coming to its end; look again")
        return life

    async def _accepted(self, run_id: str) -> Run:
        """The run, after what was last said about it is on disk."""
        await self._journal.committed(run_id, self._journal.last_sequence(run_id))
        return self._records.get(run_id)

    async def _next_fact(self, run_id: str, cursor: int) -> None:
        """Returns when there is one after the cursor, or the trainer is going away."""
        waits = [
            asyncio.ensure_future(self._journal.committed(run_id, cursor + 1)),
            asyncio.ensure_future(self._closing.wait()),
        ]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                await each
        finally:
            for each in waits:
                each.cancel()

    def _refuse_taken(self, run_id: str) -> None:
        if run_id == names.IMPORTS:
            raise InvalidArgument.field(
                "run_id", f"{run_id} is where weights from elsewhere are kept; choose another id"
            )
        if run_id and self._records.has(run_id):
            raise AlreadyExists(
                f"there is a run called {run_id} already; choose another id or delete that run",
                metadata={"run": run_id},
            )

    def _free_id(self, preset: str) -> str:
        while self._records.has(run_id := names.new_id(preset)):
            pass
        return run_id

    async def _end_task(self, run_id: str) -> None:
        task = self._tasks.get(run_id)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _delete_peek(self, run_id: str) -> None:
        """Tried until the checkpoint service has answered."""
        request = DeleteCheckpointRequest(name=names.peek_name(run_id))
        pause_secs = 0.2
        while True:
            try:
                await self._around.checkpoints.DeleteCheckpoint(request)
                return
            except LabError as error:
                if error.code is Code.NOT_FOUND:
                    return
                log.info("the peek waits to be deleted", run=run_id, reason=error.message)
            await asyncio.sleep(pause_secs)
            pause_secs = min(2 * pause_secs, 5.0)
