"""The lives that are going on: one for each run that waits for a slot, prepares or trains."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Final

import structlog

from lab import names
from lab.errors import Unavailable
from lab.spec import saving_policy
from lab.v1 import run_pb2
from services.trainer.records.state import State
from services.trainer.runs.life import Life
from services.trainer.runs.restarts import FIRST_PAUSE_SECS, Restarts
from services.trainer.runs.surroundings import Surroundings

log = structlog.get_logger()


class Lives:
    """`closing` is set when the trainer goes away."""

    def __init__(self, around: Surroundings, *, restart_secs: float = FIRST_PAUSE_SECS) -> None:
        self._around = around
        self._records = around.records
        self._lives: dict[str, Life] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.closing: Final = asyncio.Event()
        self._restarts = Restarts(
            self._records,
            begin=self.begin,
            may_come=lambda run_id: (
                around.uploads.brings_ground(run_id) or around.orphans.busy(run_id)
            ),
            first_pause_secs=restart_secs,
        )

    def find(self, run_id: str) -> Life | None:
        return self._lives.get(run_id)

    def get(self, run_id: str) -> Life:
        """Raises Unavailable when it has just come to its end."""
        life = self._lives.get(run_id)
        if life is None:
            raise Unavailable(f"{names.run_name(run_id)} is just coming to its end; look again")
        return life

    def waiting(self) -> list[str]:
        """Ids of the runs that wait for a slot, in the order in which they will get one."""
        pending = run_pb2.RUN_STATE_PENDING
        return [each for each in self._lives if self._records.get(each).state == pending]

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
                if not self.closing.is_set():
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

    def cancel_restart(self, run_id: str) -> None:
        """Somebody decided otherwise: the run will not go on by itself."""
        self._restarts.cancel(run_id)

    async def rested(self, run_id: str) -> None:
        """Returns when the last life of a run that is at rest has put its things away."""
        if run_id in self._tasks:
            await asyncio.wait([self._tasks[run_id]])

    async def end(self, run_id: str) -> None:
        """At once, whatever it is doing."""
        task = self._tasks.get(run_id)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def hang_up(self) -> None:
        """Ends the streams, so that the server need not wait for those who listen for ever."""
        self.closing.set()

    async def stop_all(self, reason: str, *, grace_secs: float) -> None:
        """Every worker ends at its next step boundary, or is killed when the time is up."""
        self.hang_up()
        self._restarts.stop()
        waiting = []
        for run_id, life in list(self._lives.items()):
            run = self._records.get(run_id)
            if run.state == run_pb2.RUN_STATE_PENDING:
                await self.end(run_id)  # it goes on waiting in the next life of the trainer
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
