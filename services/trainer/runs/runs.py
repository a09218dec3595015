"""Runs: what may be asked of them. Translating requests is the servicer's work, not this file's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from lab.errors import InvalidArgument, NotFound
from lab.run_state import ENDED
from lab.spec import overlay, saving_policy
from lab.v1 import run_pb2
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.event_pb2 import Event
from lab.v1.run_pb2 import Run
from lab.v1.trainer_service_pb2 import CreateRunRequest, ForkRunRequest, UpdateRunRequest
from lab.v1.worker_pb2 import (
    STAGING_KIND_CHECKPOINT,
    STAGING_KIND_PEEK,
    STAGING_KIND_WEIGHTS,
)
from services.trainer.records import state
from services.trainer.records.state import Verb
from services.trainer.runs import asking, creating
from services.trainer.runs.adding import Adding
from services.trainer.runs.forking import fork_of
from services.trainer.runs.lives import Lives
from services.trainer.runs.surroundings import Surroundings
from services.trainer.runs.trash import KEEP_SECS, Trash
from services.trainer.runs.watching import watch

MAX_ADVANCE: Final = 10_000


class Runs:
    """Every verb answers the run as accepted, after that was written down."""

    def __init__(
        self, around: Surroundings, lives: Lives, *, trash_secs: float = KEEP_SECS
    ) -> None:
        self._around, self._lives = around, lives
        self._records, self._journal = around.records, around.journal
        self.trash = Trash(around, lives, keep_secs=trash_secs)
        self._adding = Adding(around.records, added=lives.begin, leaves=self.trash.leaves)

    def get(self, run_id: str) -> Run:
        return self._records.get(run_id)

    def find(self, run_id: str) -> Run | None:
        return self._records.get(run_id) if self._records.has(run_id) else None

    def all(self) -> list[Run]:
        """Newest first, without those in the trash."""
        return self._records.all()

    def trashed(self) -> list[Run]:
        return self._records.trashed()

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
        run_id = await self._adding.add(
            request,
            prefix=request.preset,
            make=lambda: creating.run_from(request, self._around.corpora),
        )
        return await self._accepted(run_id)

    async def fork(self, request: ForkRunRequest) -> Run:
        """A new run that goes on from a checkpoint, or the one that an equal request has made."""

        async def make() -> Run:
            return await fork_of(request, self._around.checkpoints, self._around.corpora)

        if request.validate_only:
            return await make()
        return await self._accepted(await self._adding.add(request, prefix="fork", make=make))

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
        if request.HasField("live") and (life := self._lives.find(run_id)):
            await life.adjust(run.live)
        return await self._accepted(run_id)

    async def pause(self, run_id: str) -> Run:
        if self._move(run_id, run_pb2.RUN_VERB_PAUSE) and (life := self._lives.find(run_id)):
            await life.pause()
        return await self._accepted(run_id)

    async def resume(self, run_id: str) -> Run:
        if self._records.get(run_id).state in ENDED:
            await self._lives.rested(run_id)
        if self._move(run_id, run_pb2.RUN_VERB_RESUME):
            self._lives.cancel_restart(run_id)
            self._records.get(run_id).restarts = 0
            if self._records.get(run_id).state == run_pb2.RUN_STATE_PENDING:
                self._lives.begin(run_id)
            elif life := self._lives.find(run_id):
                await life.resume()
        return await self._accepted(run_id)

    async def advance(self, run_id: str, steps: int) -> Run:
        if not 1 <= steps <= MAX_ADVANCE:
            raise InvalidArgument.field("steps", f"must be 1 to {MAX_ADVANCE:,}, but is {steps:,}")
        if self._move(run_id, run_pb2.RUN_VERB_ADVANCE) and (life := self._lives.find(run_id)):
            await life.advance(steps)
        return await self._accepted(run_id)

    async def stop(self, run_id: str, *, save: bool | None) -> Run:
        """`save` of None means what the spec says."""
        run = self._records.get(run_id)
        if self._move(run_id, run_pb2.RUN_VERB_STOP):
            if run.state == run_pb2.RUN_STATE_STOPPED:  # it was waiting: for a slot, to resume
                self._lives.cancel_restart(run_id)
                await self._lives.end(run_id)
            elif life := self._lives.find(run_id):
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
        return await self._lives.get(run_id).stage(kind)

    async def peek(self, run_id: str) -> Checkpoint:
        """The weights of this moment, for a look inside."""
        self._move(run_id, run_pb2.RUN_VERB_PEEK)
        return await self._lives.get(run_id).stage(STAGING_KIND_PEEK)

    async def delete(self, run_id: str, *, permanently: bool = False) -> Run | None:
        """Into the trash, or out of it and gone: then there is no answer."""
        if await self.trash.delete(run_id, permanently=permanently) is None:
            return None
        try:
            return await self._accepted(run_id)
        except NotFound:
            return None  # its time in the trash was over before this was said

    async def restore(self, run_id: str) -> Run:
        await self.trash.restore(run_id)
        return await self._accepted(run_id)

    def watch(self, run_id: str, *, after_sequence: int) -> AsyncIterator[Event]:
        """Every fact after the sequence, then as they are committed, until the run is deleted."""
        return watch(
            run_id,
            self._records,
            self._journal,
            after_sequence=after_sequence,
            closing=self._lives.closing,
        )

    async def stop_all(self, reason: str, *, grace_secs: float) -> None:
        """Every worker ends at its next step boundary, or is killed when the time is up."""
        await self._lives.stop_all(reason, grace_secs=grace_secs)
        self.trash.stop()

    def _move(self, run_id: str, verb: Verb) -> bool:
        """Moves the run as the verb says; False when its result held already."""
        to = state.after_verb(self._records.get(run_id), verb)
        if to is None:
            return False
        if to != self._records.get(run_id).state:
            self._records.move(run_id, to)
        return True

    async def _accepted(self, run_id: str) -> Run:
        """The run, after what was last said about it is on disk."""
        await self._journal.committed(run_id, self._journal.last_sequence(run_id))
        return self._records.get(run_id)
