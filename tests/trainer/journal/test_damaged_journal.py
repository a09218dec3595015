"""A history that cannot be read from disk costs that history, and no other run anything."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lab.v1 import run_pb2
from lab.v1 import trainer_service_pb2 as messages
from services.trainer.journal.writer import connect
from services.trainer.records.store import read_store, store_path
from tests.support.fake_worker import FakeWorkers
from tests.support.trainer_service import create, get, reaches, tiny, trainer_service


async def test_the_trainer_starts_says_so_and_goes_on(tmp_path: Path, workers: FakeWorkers) -> None:
    start = partial(trainer_service, tmp_path, workers=workers)
    async with start() as trainer:
        for run_id in ("at-rest", "on-its-way", "whole"):
            await create(trainer, run_id, tiny(5))
            await reaches(trainer, run_id, run_pb2.RUN_STATE_SUCCEEDED)
    folder = tmp_path / "trainer"
    for run_id in ("at-rest", "on-its-way"):
        journal = folder / "runs" / run_id / "journal.db"
        assert journal.stat().st_size > 0
        journal.write_bytes(b"\x07" * journal.stat().st_size)
    _make_it_run(folder, "on-its-way")

    async with start() as trainer:
        damaged = await get(trainer, "at-rest")
        assert damaged.state == run_pb2.RUN_STATE_SUCCEEDED
        assert "could not be read from disk and was set aside" in damaged.state_reason
        interrupted = await get(trainer, "on-its-way")
        assert interrupted.state == run_pb2.RUN_STATE_INTERRUPTED
        for run_id, points in (("at-rest", 0), ("on-its-way", 0), ("whole", 5)):
            query = messages.QuerySeriesRequest(name=f"runs/{run_id}", series=["loss"])
            assert len((await trainer.QuerySeries(query)).series.series[0].values) == points
        facts = messages.ListFactsRequest(name="runs/at-rest")
        assert (await trainer.ListFacts(facts)).events[0].sequence > 1_000_000
        await create(trainer, "another", tiny(5))
        await reaches(trainer, "another", run_pb2.RUN_STATE_SUCCEEDED)
    assert len(list((folder / "runs" / "at-rest").glob("damaged-*.db"))) == 1
    async with start() as trainer:  # and the next start finds nothing wrong
        assert (await get(trainer, "at-rest")).state == run_pb2.RUN_STATE_SUCCEEDED
    assert len(list((folder / "runs" / "at-rest").glob("damaged-*.db"))) == 1


def _make_it_run(folder: Path, run_id: str) -> None:
    """In the store, as if the trainer had been killed while the run trained."""
    [run] = [run for run in read_store(folder).runs if run.name == f"runs/{run_id}"]
    run.state = run_pb2.RUN_STATE_RUNNING
    connection = connect(store_path(folder), "")
    connection.execute("UPDATE runs SET body = ? WHERE id = ?", (run.SerializeToString(), run_id))
    connection.close()
