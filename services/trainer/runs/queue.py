"""Who waits for a device slot, and for how long. Every number comes from steps that were made on
this machine, by the run itself, by one of the same shape, or to measure it; else there is none."""

from __future__ import annotations

import asyncio
import heapq
import math
from typing import Final

from lab import names
from lab.v1 import run_pb2
from lab.v1.run_pb2 import Run
from lab.v1.run_spec_pb2 import PRECISION_AUTO, RunSpec
from lab.v1.trainer_service_pb2 import QueuedRun
from services.trainer.records import state
from services.trainer.records.records import Records
from services.trainer.runs.lives import Lives
from services.trainer.runs.preflights import Preflights

UNKNOWN: Final = math.inf


class Queue:
    """`slots` runs train at the same time."""

    def __init__(
        self, records: Records, lives: Lives, preflights: Preflights, *, slots: int
    ) -> None:
        self._records, self._lives, self._preflights = records, lives, preflights
        self._slots = slots

    async def look(self) -> list[QueuedRun]:
        """In the order in which they will start."""
        waiting = [_copy(self._records.get(run_id)) for run_id in self._lives.waiting()]
        others = [_copy(run) for run in self._records.all()]
        return await asyncio.to_thread(self._told, waiting, others) if waiting else []

    def _told(self, waiting: list[Run], others: list[Run]) -> list[QueuedRun]:
        rates = self._rates(others)
        holders = [run for run in others if run.state in state.ACTIVE]
        free_in = [self._left_secs(run, rates) for run in holders]
        free_in += [0.0] * (self._slots - len(free_in))
        heapq.heapify(free_in)
        held_up = next(
            (
                f"{_called(run)} is paused and keeps its slot" if _halted(run) else _unmeasured(run)
                for run in holders
                if self._left_secs(run, rates) == UNKNOWN
            ),
            "",
        )
        told = []
        for run in waiting:
            starts, takes = heapq.heappop(free_in), self._takes_secs(run, rates)
            heapq.heappush(free_in, starts + takes)
            queued = QueuedRun(run=run.name)
            if starts != UNKNOWN:
                queued.starts_in_secs = starts
            else:
                queued.unknown_because = held_up
            if takes != UNKNOWN:
                queued.takes_secs = takes
            else:
                queued.unknown_because = queued.unknown_because or _unmeasured(run)
                held_up = held_up or _unmeasured(run)
            told.append(queued)
        return told

    def _left_secs(self, run: Run, rates: dict[str, float]) -> float:
        """How long a run that has a slot keeps it."""
        if run.state == run_pb2.RUN_STATE_STOPPING:
            return 0.0
        if _halted(run):
            return UNKNOWN
        if run.stats.HasField("remaining_secs"):
            return run.stats.remaining_secs
        return self._takes_secs(run, rates)

    def _takes_secs(self, run: Run, rates: dict[str, float]) -> float:
        steps_left = max(0, run.stats.total_steps - run.stats.step)
        if (rate := rates.get(self._preflights.shape(run.spec))) is not None:
            return steps_left * rate
        whole = self._preflights.measured_secs(run.spec)
        return UNKNOWN if whole is None else whole * steps_left / max(1, run.stats.total_steps)

    def _rates(self, runs: list[Run]) -> dict[str, float]:
        """Seconds per step by shape, evaluations and samples included, as the newest run of each
        shape that has made some was measured."""
        rates: dict[str, float] = {}
        for run in runs:
            if (rate := _secs_per_step(run)) is not None:
                for spec in (run.spec, _as_asked(run.spec)):
                    rates.setdefault(self._preflights.shape(spec), rate)
        return rates


def _secs_per_step(run: Run) -> float | None:
    stats = run.stats  # a fork's time goes on where its parent's was, as its steps do
    return stats.elapsed_secs / stats.step if stats.step and stats.elapsed_secs else None


def _as_asked(spec: RunSpec) -> RunSpec:
    """With the number format left open again, which its first start settled: one that waits has
    not settled it, and will settle it in the same way."""
    asked = RunSpec()
    asked.CopyFrom(spec)
    asked.budget.precision = PRECISION_AUTO
    return asked


def _unmeasured(run: Run) -> str:
    return f"no step of the shape of {_called(run)} was measured here yet"


def _halted(run: Run) -> bool:
    return run.state in (run_pb2.RUN_STATE_PAUSING, run_pb2.RUN_STATE_PAUSED)


def _called(run: Run) -> str:
    return run.display_name or names.run_id(run.name)


def _copy(run: Run) -> Run:
    copied = Run()
    copied.CopyFrom(run)
    return copied
