"""One writer per run: what a trainer that was suspended still wants to write is refused."""

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import apsw
import pytest

from lab.errors import LabError
from lab.v1.checkpoint_pb2 import CHECKPOINT_KIND_FULL, Checkpoint
from lab.v1.checkpoint_service_pb2 import FenceRunRequest
from lab.v1.event_pb2 import Event, StepMeasured
from lab.v1.run_pb2 import Run
from services.trainer.journal import journal_file, journal_tables
from services.trainer.journal.claim import Superseded
from services.trainer.journal.journal import Journal
from services.trainer.journal.writer import Writer
from services.trainer.records.store import Store, read_store
from services.trainer.saved.sending import send
from services.trainer.saved.shelf import shelf_of
from tests.support.checkpoint_service import checkpoint_service, checkpoint_stub
from tests.support.waiting import until

CLAIMS = 50


class Claimant:
    """A trainer's journal and records on a folder that others may work in too."""

    def __init__(self, folder: Path) -> None:
        self.deaths: list[BaseException] = []
        self.shown: list[Event] = []
        self.writer = Writer(first=folder / "runs.db", failed=self.deaths.append)
        self.store = Store(folder, self.writer)
        self.journal = Journal(folder / "runs", self.writer, committed=self._show)

    def _show(self, events: Sequence[Event]) -> None:
        self.shown += events

    def make_step(self, number: int) -> int:
        return self.journal.append("a", Event(step_measured=StepMeasured(step=number, loss=1.0)))


@asynccontextmanager
async def claimant(folder: Path) -> AsyncIterator[Claimant]:
    one = Claimant(folder)
    one.writer.start()
    yield one
    await one.writer.stop()


def rows(folder: Path) -> list[int]:
    with journal_file.reading(folder / "runs" / "a" / "journal.db") as file:
        return [step for (step,) in file.execute("SELECT step FROM steps ORDER BY step")]


async def test_fifty_claims_by_two_trainers_leave_no_row_of_the_older(tmp_path: Path) -> None:
    """Each round the newer takes the run over at a random moment of the older's writing."""
    dice = random.Random(7)
    expected: list[int] = []
    read_store(tmp_path)
    for turn in range(CLAIMS):
        async with claimant(tmp_path) as older, claimant(tmp_path) as newer:
            first = 100 * turn
            before = dice.randint(1, 10)
            await older.journal.open("a")
            for number in range(before):
                last = older.make_step(first + number)
            await older.journal.committed("a", last)
            expected += range(first, first + before)

            await newer.journal.open("a")
            await newer.journal.committed("a", newer.make_step(first + 50))
            expected.append(first + 50)
            for number in range(dice.randint(1, 10)):
                older.make_step(first + 60 + number)
            await until(partial(list, older.deaths), what="the older is superseded")
            assert isinstance(older.deaths[0], Superseded)
            await newer.journal.committed("a", newer.make_step(first + 51))
            expected.append(first + 51)
            assert len(older.shown) == before
            assert not newer.deaths
    assert rows(tmp_path) == expected


async def test_a_claim_in_the_middle_of_writing_keeps_what_was_shown_and_no_more(
    tmp_path: Path,
) -> None:
    """The older does not wait for its disk, as a running trainer does not."""
    read_store(tmp_path)
    async with claimant(tmp_path) as older, claimant(tmp_path) as newer:
        await older.journal.open("a")
        await older.journal.committed("a", older.make_step(0))
        for number in range(1, 2_000):
            older.make_step(number)
        await newer.journal.open("a")
        for number in range(2_000, 2_100):
            older.make_step(number)
        await newer.journal.committed("a", newer.make_step(5_000))
        await until(partial(list, older.deaths), what="the older is superseded")
        assert isinstance(older.deaths[0], Superseded)
        shown = [event.step_measured.step for event in older.shown + newer.shown]
        assert shown == rows(tmp_path)  # what was shown is there, and nothing else
        assert shown[-1] == 5_000


@pytest.mark.parametrize("wrote_before", [True, False])
async def test_the_journal_of_a_run_at_rest_takes_nothing_from_the_older(
    tmp_path: Path, wrote_before: bool
) -> None:
    """Neither through a file that it has open nor through one that it opens only now."""
    async with claimant(tmp_path) as first:
        await first.journal.open("a")
        await first.journal.committed("a", first.make_step(1))
    async with claimant(tmp_path) as older, claimant(tmp_path) as newer:
        await older.store.take_over()
        await older.journal.open("a")
        if wrote_before:
            await older.journal.committed("a", older.make_step(2))
        await newer.store.take_over()  # and no write to the file itself
        older.make_step(3)
        await until(partial(list, older.deaths), what="the older is superseded")
        assert isinstance(older.deaths[0], Superseded)
        await newer.journal.open("a")
        await newer.journal.committed("a", newer.make_step(9))
        assert not newer.deaths
    assert rows(tmp_path) == ([1, 2, 9] if wrote_before else [1, 9])


async def test_a_transaction_under_way_ends_before_its_file_is_taken_up(tmp_path: Path) -> None:
    """The older has looked whose the folder is, and is suspended before it commits."""
    looked, go_on = threading.Event(), threading.Event()

    def linger(connection: apsw.Connection) -> None:
        looked.set()
        assert go_on.wait(30)

    async with claimant(tmp_path) as older, claimant(tmp_path) as newer:
        await older.journal.open("a")
        await older.journal.committed("a", older.make_step(1))
        older.writer.write(older.journal.path("a"), journal_tables.SCHEMA, linger)
        older.make_step(2)  # may come into the same transaction, or be refused
        assert await asyncio.to_thread(looked.wait, 30)
        await newer.store.take_over()
        opening = asyncio.create_task(newer.journal.open("a"))
        done, _ = await asyncio.wait([opening], timeout=0.2)
        assert not done, "it did not wait for the transaction"
        go_on.set()
        await opening
        taken_up = newer.journal.last_sequence("a")
        older.make_step(3)
        await until(partial(list, older.deaths), what="the older is superseded")
        assert await newer.journal.facts_after("a", taken_up, 10) == []
        await newer.journal.committed("a", newer.make_step(9))
        assert not newer.deaths
    assert rows(tmp_path) in ([1, 9], [1, 2, 9])


async def test_a_trainer_that_was_taken_over_can_change_no_record(tmp_path: Path) -> None:
    read_store(tmp_path)
    async with claimant(tmp_path) as older, claimant(tmp_path) as newer:
        older.store.save_run("a", Run(name="runs/a", notes="old"))
        assert await older.store.claim("a") == 1
        await newer.store.take_over()
        assert await newer.store.claim("a") == 2
        older.store.save_run("a", Run(name="runs/a", notes="stale"))
        await until(lambda: older.deaths, what="the older is superseded")
        assert await newer.store.claim("a") == 3
        assert [run.notes for run in read_store(tmp_path).runs] == ["old"]


async def test_a_claim_is_higher_than_all_before_also_after_the_run_was_deleted(
    tmp_path: Path,
) -> None:
    read_store(tmp_path)
    async with claimant(tmp_path) as one:
        assert [await one.store.claim("a") for _ in range(3)] == [1, 2, 3]
        gone = asyncio.get_running_loop().create_future()
        one.store.bury_run(
            Run(name="runs/a"), Event(run="runs/a", sequence=4), done=lambda: gone.set_result(None)
        )
        await gone
    async with claimant(tmp_path) as again:
        assert await again.store.claim("a") == 4


async def test_fifty_claims_by_two_trainers_leave_no_checkpoint_of_the_older(
    tmp_path: Path,
) -> None:
    """With the real store. Each turn one trainer claims the run, as a resume does, and then both
    want to save."""
    staged = tmp_path / "staged"
    staged.mkdir()
    tokens = {"a": 0, "b": 0}
    accepted: list[str] = []
    read_store(tmp_path)
    async with checkpoint_service(tmp_path) as address, checkpoint_stub(address) as stub:
        async with claimant(tmp_path / "claims") as counter:
            for turn in range(CLAIMS):
                owner, stale = ("a", "b") if turn % 2 else ("b", "a")
                tokens[owner] = await counter.store.claim("x")
                await stub.FenceRun(
                    FenceRunRequest(run="runs/x", fencing_token=tokens[owner]), timeout=30
                )
                (staged / "state.json").write_text(f"{turn}")
                for one in random.Random(turn).sample([owner, stale], 2):
                    step = 2 * turn + (one == owner)
                    header = Checkpoint(
                        name=f"runs/x/checkpoints/step-{step:08d}",
                        kind=CHECKPOINT_KIND_FULL,
                        step=step,
                        fencing_token=tokens[one],
                    )
                    if one == owner:
                        accepted.append((await send(stub, staged, header)).name)
                    else:
                        with pytest.raises(LabError, match="claimed by another owner"):
                            await send(stub, staged, header)
        listed = {each.name for each in (await shelf_of(stub, "runs/x")).checkpoints}
    expected = {f"runs/x/checkpoints/step-{2 * turn + 1:08d}" for turn in range(CLAIMS)}
    assert set(accepted) == listed == expected
