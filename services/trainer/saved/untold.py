"""What a worker had told a trainer that was killed before it wrote that down.

It lies beside the save that the worker still finished. Told now, the run's history reaches up to
the step that it goes on from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypeAlias

import apsw

from lab import manifest
from lab.v1.event_pb2 import Event
from lab.v1.worker_pb2 import CheckpointStaged, WorkerEvent
from services.trainer.journal import journal_file
from services.trainer.journal.journal import Journal
from services.trainer.records import stats
from services.trainer.records.records import Records

_FEW: Final = 10_000  # more than is ever said after a step and before the next

# Where the course of a run is: whatever was measured before belongs to it up to that step.
_PLACES: Final = ("step_measured", "run_rewound", "run_resumed")

_Key: TypeAlias = tuple[str, int, int]


async def tell(run_id: str, staged: CheckpointStaged, *, records: Records, journal: Journal) -> int:
    """Says what is recorded nowhere yet; answers how many facts that were."""
    folder = Path(staged.folder)
    events = (await asyncio.to_thread(manifest.read_told, folder)).events
    if not events:
        return 0
    await journal.committed(run_id, journal.last_sequence(run_id))
    recorded = await journal.read(run_id, _recorded)
    new = unrecorded(events, *recorded)
    run = records.get(run_id)
    for event in new:
        kind = event.WhichOneof("event") or ""
        if kind == "step_measured":
            stats.measured(run.stats, event.step_measured)
            run.stats.ClearField("remaining_secs")  # nothing is under way
        elif kind == "evaluation_completed":
            stats.evaluated(run.stats, event.evaluation_completed)
        records.say(run_id, Event(**{kind: getattr(event, kind)}))
        await journal.room()
    return len(new)


def unrecorded(events: Iterable[WorkerEvent], step: int, known: set[_Key]) -> list[WorkerEvent]:
    """Those after the step up to which a run is recorded. Of what was measured at that very step,
    some of which may be recorded too, `known` says which."""
    new = []
    for event in events:
        key = _key(event)
        if key[1] < step or key in known or key[:2] == ("step_measured", step):
            continue
        new.append(event)
    return new


def _recorded(file: apsw.Connection) -> tuple[int, set[_Key]]:
    """The step a run has got to, and what is known of it and after it."""
    newest = journal_file.newest_facts(file, _PLACES, 1)
    step = sequence = 0
    for fact in newest:
        sequence = fact.sequence
        step = getattr(fact, fact.WhichOneof("fact") or "").step
    return step, {_key(fact) for fact in journal_file.facts_after(file, sequence, _FEW)}


def _key(said: WorkerEvent | Event) -> _Key:
    """Which measurement it is: the kind, the step, and which of several."""
    found = said.WhichOneof("event") if isinstance(said, WorkerEvent) else said.WhichOneof("fact")
    kind = found or ""
    measured = getattr(said, kind)
    which = int(getattr(measured, "prompt_index", 0) or 0)
    if kind == "spike_flagged":
        which = int(measured.kind)
    return kind, int(getattr(measured, "step", 0)), which
