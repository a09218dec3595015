"""A deleted run can be taken back for a while, its history and its checkpoints with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from lab.errors import Code, LabError
from lab.v1 import checkpoint_service_pb2 as checkpoint_messages
from lab.v1 import checkpoint_service_pb2_grpc as checkpoint_services
from lab.v1 import run_pb2
from lab.v1 import trainer_service_pb2 as messages
from lab.v1 import trainer_service_pb2_grpc as services
from lab.v1.run_pb2 import Run
from services.trainer.records.store import read_store
from tests.support.checkpoint_service import checkpoint_service, checkpoint_stub
from tests.support.fake_checkpoint_service import FakeCheckpointService
from tests.support.fake_worker import FakeWorkers
from tests.support.trainer_service import (
    ENDLESS,
    create,
    get,
    passes_step,
    reaches,
    tiny,
    trainer_service,
)
from tests.support.waiting import until


@dataclass(frozen=True)
class Lab:
    trainer: services.TrainerServiceAsyncStub
    saved: checkpoint_services.CheckpointServiceAsyncStub

    async def listed(self, *, trashed: bool = False) -> set[str]:
        request = checkpoint_messages.ListCheckpointsRequest(run="runs/a", trashed=trashed)
        found = (await self.saved.ListCheckpoints(request)).checkpoints
        return {checkpoint.name for checkpoint in found}

    async def save(self, run_id: str) -> str:
        snapshot = messages.SnapshotRunRequest(name=f"runs/{run_id}")
        return (await self.trainer.SnapshotRun(snapshot)).checkpoint.name

    async def trashed(self) -> list[str]:
        return [run.name for run in await listing(self.trainer, trashed=True)]


@pytest.fixture
async def lab(tmp_path: Path, workers: FakeWorkers) -> AsyncIterator[Lab]:
    """With the real checkpoint service, whose trash is what the run's must agree with."""
    async with (
        checkpoint_service(tmp_path / "saved") as address,
        checkpoint_stub(address) as saved,
        trainer_service(tmp_path / "home", checkpoint_address=address, workers=workers) as trainer,
    ):
        yield Lab(trainer, saved)


async def listing(trainer: services.TrainerServiceAsyncStub, *, trashed: bool = False) -> list[Run]:
    return list((await trainer.ListRuns(messages.ListRunsRequest(trashed=trashed))).runs)


async def delete(
    trainer: services.TrainerServiceAsyncStub, run_id: str, *, permanently: bool = False
) -> messages.DeleteRunResponse:
    request = messages.DeleteRunRequest(name=f"runs/{run_id}", permanently=permanently)
    return await trainer.DeleteRun(request)


async def restore(trainer: services.TrainerServiceAsyncStub, run_id: str) -> Run:
    request = messages.RestoreRunRequest(name=f"runs/{run_id}")
    return (await trainer.RestoreRun(request)).run


async def stopped(trainer: services.TrainerServiceAsyncStub, run_id: str) -> Run:
    await trainer.StopRun(messages.StopRunRequest(name=f"runs/{run_id}", save=False))
    return await reaches(trainer, run_id, run_pb2.RUN_STATE_STOPPED)


async def losses(trainer: services.TrainerServiceAsyncStub, run_id: str) -> list[float]:
    query = messages.QuerySeriesRequest(name=f"runs/{run_id}", series=["loss"])
    return list((await trainer.QuerySeries(query)).series.series[0].values)


async def test_it_comes_back_as_it_was_with_the_checkpoints_that_went_with_it(lab: Lab) -> None:
    await create(lab.trainer, "a", tiny(ENDLESS))
    saved = []
    for _ in range(3):
        step = (await get(lab.trainer, "a")).stats.step
        await passes_step(lab.trainer, "a", step + 1)
        saved.append(await lab.save("a"))
    alone, pinned, last = saved
    before = await stopped(lab.trainer, "a")
    curve = await losses(lab.trainer, "a")
    await lab.saved.DeleteCheckpoint(checkpoint_messages.DeleteCheckpointRequest(name=alone))
    await lab.saved.UpdateCheckpoint(
        checkpoint_messages.UpdateCheckpointRequest(name=pinned, pinned=True)
    )

    gone = (await delete(lab.trainer, "a")).run
    assert gone.expire_time.ToDatetime() > gone.delete_time.ToDatetime()
    assert await listing(lab.trainer) == []
    assert await lab.trashed() == ["runs/a"]

    async def followed() -> bool:
        return await lab.listed(trashed=True) == {alone, last}

    await until(followed, what="its checkpoints are in the trash, but for the pinned one")
    assert await lab.listed() == {pinned}
    with pytest.raises(LabError, match="in the trash; restore it first") as refused:
        await lab.trainer.ResumeRun(messages.ResumeRunRequest(name="runs/a"))
    assert refused.value.code is Code.FAILED_PRECONDITION
    with pytest.raises(LabError, match="called a already in the trash"):
        await create(lab.trainer, "a")
    assert (await delete(lab.trainer, "a")).run.delete_time == gone.delete_time  # once is enough

    back = await restore(lab.trainer, "a")
    assert not back.HasField("delete_time")
    assert (back.state, back.stats) == (before.state, before.stats)
    assert await losses(lab.trainer, "a") == curve
    assert await lab.listed() == {pinned, last}
    assert await lab.listed(trashed=True) == {alone}  # deleted on its own, so it stays deleted
    await lab.trainer.ResumeRun(messages.ResumeRunRequest(name="runs/a"))
    await reaches(lab.trainer, "a", run_pb2.RUN_STATE_RUNNING)


async def test_for_good_takes_the_trashed_checkpoints_along(lab: Lab, tmp_path: Path) -> None:
    await create(lab.trainer, "a", tiny(ENDLESS))
    await passes_step(lab.trainer, "a", 1)
    name = await lab.save("a")
    await stopped(lab.trainer, "a")
    await delete(lab.trainer, "a")

    async def in_trash() -> bool:
        return await lab.listed(trashed=True) == {name}

    await until(in_trash, what="its checkpoint is in the trash")
    assert not (await delete(lab.trainer, "a", permanently=True)).HasField("run")
    assert await lab.trashed() == []
    assert not list((tmp_path / "home" / "trainer" / "runs").iterdir())

    async def freed() -> bool:
        return await lab.listed(trashed=True) == set()

    await until(freed, what="its checkpoint is gone")
    with pytest.raises(LabError, match="no run called a"):
        await restore(lab.trainer, "a")


async def test_for_good_at_once_takes_all_but_what_is_pinned(lab: Lab) -> None:
    await create(lab.trainer, "a", tiny(ENDLESS))
    saved = []
    for _ in range(2):
        await passes_step(lab.trainer, "a", (await get(lab.trainer, "a")).stats.step + 1)
        saved.append(await lab.save("a"))
    await lab.trainer.PeekRun(messages.PeekRunRequest(name="runs/a"))
    await stopped(lab.trainer, "a")
    pin = checkpoint_messages.UpdateCheckpointRequest(name=saved[0], pinned=True)
    await lab.saved.UpdateCheckpoint(pin)
    await delete(lab.trainer, "a", permanently=True)
    assert await lab.listed() == {saved[0]}
    assert await lab.listed(trashed=True) == set()
    peek = checkpoint_messages.GetCheckpointRequest(name="runs/a/peek")
    with pytest.raises(LabError) as refused:
        await lab.saved.GetCheckpoint(peek)
    assert refused.value.code is Code.NOT_FOUND


async def test_what_a_run_left_is_taken_away_after_a_restart_of_the_trainer(
    tmp_path: Path,
    checkpoints: FakeCheckpointService,
    workers: FakeWorkers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The checkpoint service is away from before the deletion until after the restart."""
    monkeypatch.setattr("services.trainer.runs.trash.PATIENCE_SECS", 0.0)
    start = partial(
        trainer_service, tmp_path, checkpoint_address=checkpoints.address, workers=workers
    )
    async with start() as trainer:
        await create(trainer, "a", tiny(ENDLESS))
        await passes_step(trainer, "a", 1)
        await trainer.SnapshotRun(messages.SnapshotRunRequest(name="runs/a"))
        await stopped(trainer, "a")
        await checkpoints.away()
        assert not (await delete(trainer, "a", permanently=True)).HasField("run")
        with pytest.raises(LabError, match="not gone yet") as refused:  # it would mix the two
            await create(trainer, "a")
        assert refused.value.code is Code.UNAVAILABLE
    assert checkpoints.kept
    async with start() as trainer:
        assert await listing(trainer) == await listing(trainer, trashed=True) == []
        await checkpoints.back()
        await until(lambda: not checkpoints.kept, what="the checkpoint is gone")

        async def forgotten() -> bool:
            return not (await asyncio.to_thread(read_store, tmp_path / "trainer")).leaving

        await until(forgotten, what="nothing is left to do")
        await create(trainer, "a", tiny(2))


async def test_a_checkpoint_that_a_fork_began_from_stays(lab: Lab) -> None:
    await create(lab.trainer, "a", tiny(ENDLESS))
    await passes_step(lab.trainer, "a", 1)
    begun_from, other = await lab.save("a"), ""
    await passes_step(lab.trainer, "a", int(begun_from.rpartition("-")[2]) + 1)
    other = await lab.save("a")
    await stopped(lab.trainer, "a")
    await lab.trainer.ForkRun(messages.ForkRunRequest(checkpoint=begun_from, run_id="b"))
    await delete(lab.trainer, "a")

    async def followed() -> bool:
        return await lab.listed(trashed=True) == {other}

    await until(followed, what="only the other is in the trash")
    assert await lab.listed() == {begun_from}


async def test_one_that_waited_waits_again(
    trainer: services.TrainerServiceAsyncStub, workers: FakeWorkers
) -> None:
    await create(trainer, "a", tiny(ENDLESS))
    await passes_step(trainer, "a", 1)
    await create(trainer, "b", tiny(3))
    await delete(trainer, "b")
    await stopped(trainer, "a")
    assert len(workers.started) == 1  # the slot is free, and b does not take it
    await restore(trainer, "b")
    await reaches(trainer, "b", run_pb2.RUN_STATE_SUCCEEDED)


async def test_the_trash_outlives_the_trainer_and_ends_by_age(
    tmp_path: Path, checkpoints: FakeCheckpointService, workers: FakeWorkers
) -> None:
    """The checkpoint service was away when the run was deleted: the next life sees to it."""
    start = partial(
        trainer_service, tmp_path, checkpoint_address=checkpoints.address, workers=workers
    )
    async with start() as trainer:
        await create(trainer, "a", tiny(ENDLESS))
        await passes_step(trainer, "a", 1)
        await trainer.SnapshotRun(messages.SnapshotRunRequest(name="runs/a"))
        await stopped(trainer, "a")
        await checkpoints.away()
        await delete(trainer, "a")
        with pytest.raises(LabError):  # what went with it could not be asked for
            await restore(trainer, "a")
    assert checkpoints.kept
    await checkpoints.back()
    async with start() as trainer:
        assert [run.name for run in await listing(trainer, trashed=True)] == ["runs/a"]
        await until(lambda: not checkpoints.kept, what="the checkpoint followed")
    async with start(trash_days=0, trash_look_secs=0.01) as trainer:
        # Its own time to stay was said when it was deleted, and counts.
        assert [run.name for run in await listing(trainer, trashed=True)] == ["runs/a"]
        await create(trainer, "b", tiny(2))
        await reaches(trainer, "b", run_pb2.RUN_STATE_SUCCEEDED)
        assert not (await delete(trainer, "b")).HasField("run")  # 0 days keep nothing
    async with start(trash_days=1e-9, trash_look_secs=1e-6) as trainer:
        await create(trainer, "c", tiny(2))
        await reaches(trainer, "c", run_pb2.RUN_STATE_SUCCEEDED)
        await delete(trainer, "c")

        async def emptied() -> bool:
            names = [run.name for run in await listing(trainer, trashed=True)]
            return names == ["runs/a"]

        await until(emptied, what="its time is over")
