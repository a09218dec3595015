"""What a killed trainer had heard and not written down is told beside the save that outlived it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from lab import manifest
from lab.v1 import recording_pb2
from lab.v1.event_pb2 import (
    EvaluationCompleted,
    Event,
    LogWritten,
    RunResumed,
    StepMeasured,
    TextSampled,
)
from lab.v1.recording_pb2 import RunRewound, SpikeFlagged
from lab.v1.run_pb2 import Run
from lab.v1.worker_pb2 import CheckpointStaged, Told, WorkerEvent
from services.trainer.journal.journal import Journal
from services.trainer.journal.writer import Writer
from services.trainer.records.records import Records
from services.trainer.records.store import Store
from services.trainer.saved import untold


class Desk:
    """One run, whose journal tells what was said."""

    def __init__(self, folder: Path) -> None:
        self.seen: list[Event] = []
        self.writer = Writer(first=folder / "runs.db", failed=lambda error: None)
        self.journal = Journal(folder, self.writer, committed=self.seen.extend)
        store = Store(folder, self.writer)
        self.records = Records(store, self.journal, publish=lambda events: None)
        self.folder = folder / "checkpoint-00000003-x"
        self.folder.mkdir()

    async def told(self, *events: WorkerEvent) -> list[str]:
        """What the run's history lacks of these, which lie beside a save."""
        manifest.write_staged(self.folder, CheckpointStaged(), Told(events=events))
        before = self.journal.last_sequence("a")
        staged = CheckpointStaged(folder=str(self.folder))
        count = await untold.tell("a", staged, records=self.records, journal=self.journal)
        await self.journal.committed("a", self.journal.last_sequence("a"))
        new = [event for event in self.seen if event.sequence > before]
        assert len(new) == count
        return short(new)


def short(events: Sequence[Event]) -> list[str]:
    found = []
    for event in events:
        kind = event.WhichOneof("fact") or ""
        found.append(f"{kind.partition('_')[0]} {getattr(event, kind).step}")
    return found


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    desk.writer.start()
    desk.records.add("a", Run(), request_id="")
    yield desk
    await desk.writer.stop()


def step(number: int) -> WorkerEvent:
    return WorkerEvent(step_measured=StepMeasured(step=number, loss=10.0 - number))


def evaluation(number: int) -> WorkerEvent:
    return WorkerEvent(evaluation_completed=EvaluationCompleted(step=number, loss=3.0))


def sample(number: int, prompt: int) -> WorkerEvent:
    return WorkerEvent(text_sampled=TextSampled(step=number, prompt_index=prompt))


def spike(number: int, kind: recording_pb2.SpikeKind.ValueType) -> WorkerEvent:
    return WorkerEvent(spike_flagged=SpikeFlagged(step=number, kind=kind))


def say(desk: Desk, *events: WorkerEvent | Event) -> None:
    for event in events:
        if isinstance(event, WorkerEvent):
            kind = event.WhichOneof("event") or ""
            event = Event(**{kind: getattr(event, kind)})
        desk.records.say("a", event)


async def test_the_steps_after_the_newest_that_is_recorded_are_told(desk: Desk) -> None:
    say(desk, step(1), step(2))
    assert await desk.told(step(1), step(2), step(3), step(4)) == ["step 3", "step 4"]
    assert (desk.records.get("a").stats.step, desk.records.get("a").stats.loss) == (4, 6.0)
    assert await desk.told(step(1), step(2), step(3), step(4)) == []


async def test_a_run_of_which_nothing_is_recorded_yet_is_told_from_its_beginning(
    desk: Desk,
) -> None:
    assert await desk.told(evaluation(0), step(1)) == ["evaluation 0", "step 1"]
    assert desk.records.get("a").stats.validation_loss == 3.0


async def test_what_belongs_to_the_newest_step_is_told_once(desk: Desk) -> None:
    one, two = recording_pb2.SPIKE_KIND_LOSS, recording_pb2.SPIKE_KIND_GRAD_NORM
    say(desk, step(1), step(2), spike(2, one), sample(2, 0))
    say(desk, Event(log_written=LogWritten(step=2, text="the trainer's own word")))
    events = (spike(2, one), spike(2, two), evaluation(2), sample(2, 0), sample(2, 1))
    assert await desk.told(step(2), *events, step(3)) == [
        "spike 2",
        "evaluation 2",
        "text 2",
        "step 3",
    ]


async def test_a_save_after_one_that_was_told_of_goes_on_from_there(desk: Desk) -> None:
    say(desk, step(1), evaluation(1))
    # Its list begins after the save of step 1.
    assert await desk.told(step(2), evaluation(2)) == ["step 2", "evaluation 2"]


@pytest.mark.parametrize(
    "place", [Event(run_rewound=RunRewound(step=1)), Event(run_resumed=RunResumed(step=1))]
)
async def test_steps_of_a_course_that_was_given_up_do_not_count_as_told(
    desk: Desk, place: Event
) -> None:
    say(desk, step(1), step(2), step(3), place)
    assert await desk.told(step(2), step(3)) == ["step 2", "step 3"]


async def test_what_cannot_be_read_is_left_out(desk: Desk) -> None:
    (desk.folder / manifest.TOLD).write_bytes(b"\xff\xff\xff")
    staged = CheckpointStaged(folder=str(desk.folder))
    assert await untold.tell("a", staged, records=desk.records, journal=desk.journal) == 0
    manifest.unstage(desk.folder)
    assert await untold.tell("a", staged, records=desk.records, journal=desk.journal) == 0
