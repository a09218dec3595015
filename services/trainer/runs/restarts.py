"""Runs that go on by themselves after their worker, or this service, vanished.

A few times in a row, each after a longer pause, and only from a checkpoint. Who was halted, stopped
or failed of itself is left alone: the first two were somebody's wish, and what failed once will
fail again.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable
from typing import Final

import structlog

from lab.v1 import run_pb2
from lab.v1.run_pb2 import Run
from services.trainer.records.records import Records
from services.trainer.records.state import Happening, State

FIRST_PAUSE_SECS: Final = 2.0
LONGER: Final = 5.0  # each pause than the one before

# Only a run that was on its way goes on by itself.
_ON_ITS_WAY: Final = (run_pb2.RUN_STATE_STARTING, run_pb2.RUN_STATE_RUNNING)

log = structlog.get_logger()


class Restarts:
    """`begin` starts a life for a run that is PENDING; `may_come` says whether a run without a
    checkpoint may have one soon, because it is still being sent or even written."""

    def __init__(
        self,
        records: Records,
        *,
        begin: Callable[[str], None],
        may_come: Callable[[str], bool],
        first_pause_secs: float = FIRST_PAUSE_SECS,
    ) -> None:
        self._records = records
        self._begin = begin
        self._may_come = may_come
        self._first_pause_secs = first_pause_secs
        self._waiting: dict[str, asyncio.TimerHandle] = {}

    def decide(self, run_id: str, was: State) -> None:
        """Says of a run that has just become INTERRUPTED when it will go on by itself, if it will;
        `was` is its state before."""
        run = self._records.get(run_id)
        wanted = run.spec.hooks.restarts
        if was not in _ON_ITS_WAY or not wanted or not self._has_ground(run_id, run):
            return
        if run.restarts < wanted:
            due = time.time() + self._first_pause_secs * LONGER**run.restarts
            run.restart_time.FromNanoseconds(int(due * 1e9))
        else:
            run.state_reason += (
                f"; it was resumed by itself {run.restarts} times without reaching a new "
                "checkpoint, so it waits for you"
            )
        self._records.changed(run_id)

    def wait(self, run_id: str) -> None:
        """Its last life has put everything away: the time that was said may come."""
        if self._records.has(run_id) and self._records.get(run_id).HasField("restart_time"):
            due = self._records.get(run_id).restart_time.ToNanoseconds() / 1e9
            self._call(run_id, max(0.0, due - time.time()))

    def take_up(self, run_id: str) -> None:
        """This service ended while the run was waiting."""
        self._call(run_id, self._first_pause_secs)

    def cancel(self, run_id: str) -> None:
        """Somebody decided otherwise."""
        if waiting := self._waiting.pop(run_id, None):
            waiting.cancel()

    def stop(self) -> None:
        """They wait again after the next start."""
        for run_id in list(self._waiting):
            self.cancel(run_id)

    def _call(self, run_id: str, secs: float) -> None:
        self.cancel(run_id)
        loop = asyncio.get_running_loop()
        self._waiting[run_id] = loop.call_later(
            secs, self._go_on, run_id, context=contextvars.Context()
        )

    def _go_on(self, run_id: str) -> None:
        self._waiting.pop(run_id, None)
        if not self._records.has(run_id):
            return
        run = self._records.get(run_id)
        if run.state != run_pb2.RUN_STATE_INTERRUPTED or not run.HasField("restart_time"):
            return
        if not self._has_ground(run_id, run):
            run.ClearField("restart_time")
            self._records.changed(run_id)
            return
        if not (run.latest_checkpoint or run.HasField("parent")):
            return self._call(run_id, self._first_pause_secs)  # else it would begin at nothing
        run.restarts += 1
        log.info("run resumes by itself", run=run_id, time=run.restarts)
        self._records.happen(run_id, Happening.RESTART_DUE)
        self._begin(run_id)

    def _has_ground(self, run_id: str, run: Run) -> bool:
        return bool(run.latest_checkpoint or run.HasField("parent") or self._may_come(run_id))
