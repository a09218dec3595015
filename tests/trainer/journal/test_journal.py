"""The journal: numbered without a gap, on disk before anyone sees it, one commit for many."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import apsw
import numpy as np
import pytest

from lab.errors import NotFound
from lab.v1.event_pb2 import Event, LogWritten, StepMeasured
from services.trainer.journal import journal_file, journal_tables
from services.trainer.journal import writer as writer_module
from services.trainer.journal.journal import Journal
from services.trainer.journal.writer import Writer
from tests.support.waiting import until


class Desk:
    """A journal, its writer, and what it showed to the outside."""

    def __init__(self, folder: Path) -> None:
        self.seen: list[Event] = []
        self.deaths: list[BaseException] = []
        self.writer = Writer(first=folder / "runs.db", failed=self.deaths.append)
        self.journal = Journal(folder, self.writer, committed=self._show)
        self.unwritten: list[int] = []

    def _show(self, events: Sequence[Event]) -> None:
        for event in events:
            with journal_file.reading(self.journal.path("a")) as file:
                if journal_file.last_sequence(file) < event.sequence:
                    self.unwritten.append(event.sequence)
        self.seen += events


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    desk.writer.start()
    desk.journal.begin("a")
    yield desk
    await desk.writer.stop()
    assert not desk.deaths


def step(number: int) -> Event:
    return Event(step_measured=StepMeasured(step=number, loss=1.0))


async def test_facts_are_numbered_without_a_gap_and_shown_after_they_are_on_disk(
    desk: Desk,
) -> None:
    numbers = [desk.journal.append("a", step(number)) for number in range(1, 501)]
    await desk.journal.committed("a", 500)
    assert numbers == [event.sequence for event in desk.seen] == list(range(1, 501))
    assert desk.unwritten == []
    assert {event.run for event in desk.seen} == {"runs/a"}


async def test_losses_of_sequences_are_kept_and_not_shown(desk: Desk) -> None:
    """For every step, the last word on it; facts stay small."""
    for position, losses in [(0, [9.0, 8.0]), (8, [2.5, 4.25])]:
        measured = StepMeasured(step=3, data_position=position, sequence_losses=losses)
        desk.journal.append("a", Event(step_measured=measured))
    await desk.journal.committed("a", 2)
    facts = await desk.journal.facts_after("a", 0, 10)
    assert [list(event.step_measured.sequence_losses) for event in facts + desk.seen] == [[]] * 4
    assert [event.step_measured.data_position for event in facts] == [0, 8]
    rows = await desk.journal.read("a", lambda file: list(file.execute("SELECT * FROM batches")))
    assert [(step, position) for step, position, _ in rows] == [(3, 8)]
    assert np.frombuffer(rows[0][2], dtype="<f4").tolist() == [2.5, 4.25]


async def test_many_facts_share_a_commit(desk: Desk) -> None:
    for number in range(1, 1_001):
        desk.journal.append("a", step(number))
    await desk.journal.committed("a", 1_000)
    assert desk.writer.commits < 100


async def test_after_a_restart_numbering_goes_on_and_unpublished_facts_are_known(
    desk: Desk, tmp_path: Path
) -> None:
    for number in range(1, 11):
        desk.journal.append("a", step(number))
    await desk.journal.committed("a", 10)
    desk.journal.published(desk.seen[:6])
    desk.journal.write_marks()
    await desk.writer.stop()

    again = Desk(tmp_path)
    again.writer.start()
    told, published = await again.journal.open("a")
    assert told is None
    assert published == 6
    assert again.journal.append("a", step(11)) == 11
    await again.journal.committed("a", 11)
    left = await again.journal.facts_after("a", published, 100)
    assert [event.sequence for event in left] == [7, 8, 9, 10, 11]
    await again.writer.stop()


async def test_facts_are_listed_by_kind_newest_last(desk: Desk) -> None:
    for number in range(1, 6):
        desk.journal.append("a", step(number))
        desk.journal.append("a", Event(log_written=LogWritten(text=str(number))))
    await desk.journal.committed("a", 10)

    async def listed(kinds: list[str], limit: int) -> list[int]:
        events = await desk.journal.read(
            "a", lambda file: journal_file.newest_facts(file, kinds, limit)
        )
        return [event.sequence for event in events]

    assert await listed([], 100) == [2, 4, 6, 8, 10]
    assert await listed([], 2) == [8, 10]
    assert await listed(["step_measured"], 2) == [7, 9]
    assert await listed(["log_written", "step_measured"], 3) == [8, 9, 10]


async def test_the_numbers_at_an_earlier_step_can_be_had(desk: Desk) -> None:
    for number in range(1, 6):
        fact = StepMeasured(step=number, loss=10.0 - number, tokens=number * 8, elapsed_secs=number)
        desk.journal.append("a", Event(step_measured=fact))
    await desk.journal.committed("a", 5)
    at = await desk.journal.read("a", lambda file: journal_file.progress_at(file, 3))
    assert (at.step, at.tokens, at.loss, at.elapsed_secs) == (3, 24, 7.0, 3.0)
    assert at.validation_loss is None
    newest = await desk.journal.read("a", journal_file.progress_at)
    assert newest.step == 5


async def test_a_removed_run_leaves_nothing_and_frees_who_waits(desk: Desk, tmp_path: Path) -> None:
    desk.journal.append("a", step(1))
    await desk.journal.committed("a", 1)
    waiting = asyncio.create_task(desk.journal.committed("a", 99))
    await until(lambda: desk.journal._books["a"].waiting)
    await desk.journal.remove("a")
    with pytest.raises(NotFound):
        await waiting
    assert not desk.journal.path("a").parent.exists()
    with pytest.raises(NotFound):
        await desk.journal.facts_after("a", 0, 1)


async def test_a_name_used_again_goes_on_counting(desk: Desk) -> None:
    desk.journal.append("a", step(1))
    await desk.journal.committed("a", 1)
    await desk.journal.remove("a")
    desk.journal.begin("a", after_sequence=2)
    assert desk.journal.append("a", step(1)) == 3


async def test_a_full_disk_holds_facts_back_and_loses_none(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """apsw is the third-party edge: its commit says the disk is full, three times."""
    monkeypatch.setattr(writer_module, "RETRY_SECS", 0.01)
    failures: list[int] = []
    real = journal_tables.put

    def full(
        connection: apsw.Connection, event: Event, body: bytes, *, kept: journal_tables.Kept
    ) -> None:
        if len(failures) < 3:
            failures.append(event.sequence)
            raise apsw.FullError("database or disk is full")
        real(connection, event, body, kept=kept)

    monkeypatch.setattr(journal_tables, "put", full)
    for number in range(1, 51):
        desk.journal.append("a", step(number))
    await until(lambda: desk.writer.trouble or len(failures) == 3)
    await desk.journal.committed("a", 50)
    assert len(failures) == 3
    assert [event.sequence for event in desk.seen] == list(range(1, 51))
    assert desk.writer.trouble is None


async def test_too_many_waiting_facts_make_the_worker_wait(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.trainer.journal.journal.ROOM", 20)
    for number in range(1, 21):
        desk.journal.append("a", step(number))
    assert not desk.journal._room.is_set()
    await desk.journal.room()
    assert len(desk.seen) > 10
