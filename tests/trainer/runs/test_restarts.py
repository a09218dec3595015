"""A run whose worker or trainer vanished goes on by itself, a few times and from a checkpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from lab import manifest
from lab.errors import Code, LabError, Unavailable
from lab.rpc.client import channel
from lab.v1 import run_pb2
from lab.v1 import trainer_service_pb2 as messages
from lab.v1 import trainer_service_pb2_grpc as services
from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceStub
from lab.v1.run_pb2 import Run
from lab.v1.worker_pb2 import STAGING_KIND_CHECKPOINT, CheckpointStaged
from services.trainer.saved.sending import send
from tests.support.fake_checkpoint_service import FakeCheckpointService
from tests.support.fake_worker import FakeWorkers
from tests.support.trainer_service import (
    ENDLESS,
    create,
    everything_said,
    get,
    passes_step,
    reaches,
    tiny,
    trainer_service,
)
from tests.support.waiting import until

FOR_EVER = 1e6  # a pause that no test waits for
INTERRUPTED, RUNNING = run_pb2.RUN_STATE_INTERRUPTED, run_pb2.RUN_STATE_RUNNING


@pytest.fixture
async def trainer(
    tmp_path: Path, checkpoints: FakeCheckpointService, workers: FakeWorkers
) -> AsyncIterator[services.TrainerServiceAsyncStub]:
    async with trainer_service(
        tmp_path, checkpoint_address=checkpoints.address, workers=workers, restart_secs=0.001
    ) as stub:
        yield stub


async def saved_run(trainer: services.TrainerServiceAsyncStub, *, restarts: int = 3) -> Run:
    await create(trainer, "a", tiny(ENDLESS, restarts=restarts))
    await passes_step(trainer, "a", 2)
    await trainer.SnapshotRun(messages.SnapshotRunRequest(name="runs/a"))
    return await get(trainer, "a")


async def lives(workers: FakeWorkers, count: int) -> None:
    """Until so many workers were started and the newest makes steps."""
    await until(lambda: len(workers.started) == count, what=f"worker {count}")
    await until(lambda: workers.of("a").start is not None, what="its start")


async def test_a_killed_worker_is_followed_by_another_three_times_and_no_more(
    trainer: services.TrainerServiceAsyncStub, workers: FakeWorkers
) -> None:
    await saved_run(trainer)
    for time in (1, 2, 3):
        workers.of("a").die(-9)
        await lives(workers, 1 + time)
        await reaches(trainer, "a", RUNNING)
        run = await get(trainer, "a")
        assert run.restarts == time
        assert not run.HasField("restart_time")
    workers.of("a").die(-9)
    run = await reaches(trainer, "a", INTERRUPTED)
    assert len(workers.started) == 4
    assert not run.HasField("restart_time")
    assert "killed by SIGKILL" in run.state_reason
    assert "3 times without reaching a new checkpoint" in run.state_reason
    said = [fact for fact in await everything_said(trainer, "a") if fact.HasField("run_resumed")]
    assert [fact.run_resumed.restart for fact in said] == [1, 2, 3]
    assert {fact.run_resumed.checkpoint for fact in said} == {run.latest_checkpoint}


async def test_a_save_that_was_finished_but_not_told_of_is_sent_and_gone_on_from(
    trainer: services.TrainerServiceAsyncStub, workers: FakeWorkers
) -> None:
    """Its worker was killed between the two. What is half written goes away."""
    await create(trainer, "a", tiny(ENDLESS, restarts=3))
    await passes_step(trainer, "a", 2)
    whole = saved_untold(workers, step=2)
    half = whole.with_name("half")
    half.mkdir()
    (half / "state.json").write_text("2")
    workers.of("a").die(-9)
    await lives(workers, 2)
    run = await reaches(trainer, "a", RUNNING)
    assert run.latest_checkpoint == "runs/a/checkpoints/step-00000002"
    said = await everything_said(trainer, "a")
    [resumed] = [fact.run_resumed for fact in said if fact.HasField("run_resumed")]
    assert (resumed.checkpoint, resumed.step) == (run.latest_checkpoint, 2)
    await until(lambda: not whole.exists() and not half.exists(), what="both are put away")


def saved_untold(workers: FakeWorkers, *, step: int) -> Path:
    """A whole save of which the worker of the run "a" has not told."""
    start = workers.of("a").start
    assert start is not None
    folder = Path(start.staging_folder) / "whole"
    folder.mkdir()
    (folder / "state.json").write_text(str(step))
    staged = CheckpointStaged(
        kind=STAGING_KIND_CHECKPOINT, step=step, fencing_token=start.fencing_token, request_id="r"
    )
    staged.files.extend(manifest.describe(folder))
    manifest.write_staged(folder, staged)
    return folder


async def test_what_is_still_on_its_way_is_waited_for_also_when_nobody_waits_any_more(
    trainer: services.TrainerServiceAsyncStub,
    workers: FakeWorkers,
    checkpoints: FakeCheckpointService,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is all that the run could go on from: without it, it would begin at nothing."""
    monkeypatch.setattr("services.trainer.runs.life.UPLOAD_SECS", 0.001)
    await create(trainer, "a", tiny(ENDLESS, restarts=3))
    await passes_step(trainer, "a", 2)
    saved_untold(workers, step=2)
    for _ in range(2):
        checkpoints.fail_next("WriteCheckpoint", Unavailable("starting"))
    workers.of("a").die(-9)
    await lives(workers, 2)
    assert len(checkpoints.called("WriteCheckpoint")) == 3
    start = workers.of("a").start
    assert start is not None
    assert start.resume_folder, "it began at nothing"


async def test_a_new_checkpoint_begins_the_count_anew(
    trainer: services.TrainerServiceAsyncStub, workers: FakeWorkers
) -> None:
    run = await saved_run(trainer, restarts=1)
    for _ in range(3):
        count = len(workers.started)
        workers.of("a").die(-9)
        await lives(workers, count + 1)
        assert (await reaches(trainer, "a", RUNNING)).restarts == 1
        await passes_step(trainer, "a", run.stats.step + 1)
        await trainer.SnapshotRun(messages.SnapshotRunRequest(name="runs/a"))
        run = await get(trainer, "a")
        assert run.restarts == 0


async def test_without_a_checkpoint_or_a_wish_it_waits_for_its_owner(
    trainer: services.TrainerServiceAsyncStub, workers: FakeWorkers
) -> None:
    await create(trainer, "a", tiny(ENDLESS, restarts=3))
    await passes_step(trainer, "a", 1)
    workers.of("a").die(-9)
    run = await reaches(trainer, "a", INTERRUPTED)
    assert not run.HasField("restart_time")
    await trainer.DeleteRun(messages.DeleteRunRequest(name="runs/a", permanently=True))

    await saved_run(trainer, restarts=0)
    workers.of("a").die(-9)
    run = await reaches(trainer, "a", INTERRUPTED)
    assert not run.HasField("restart_time")
    assert run_pb2.RUN_VERB_RESUME in run.allowed_verbs
    assert len(workers.started) == 2


async def test_a_run_that_failed_of_itself_or_was_halted_is_left_alone(
    trainer: services.TrainerServiceAsyncStub, workers: FakeWorkers
) -> None:
    await saved_run(trainer)
    workers.of("a").fail("the loss became nan")
    run = await reaches(trainer, "a", run_pb2.RUN_STATE_FAILED)
    assert not run.HasField("restart_time")
    await trainer.DeleteRun(messages.DeleteRunRequest(name="runs/a", permanently=True))

    await saved_run(trainer)
    await trainer.PauseRun(messages.PauseRunRequest(name="runs/a"))
    await reaches(trainer, "a", run_pb2.RUN_STATE_PAUSED)
    workers.of("a").die(-9)
    run = await reaches(trainer, "a", INTERRUPTED)
    assert not run.HasField("restart_time")


async def test_who_waits_to_resume_can_be_stopped_resumed_or_deleted(
    tmp_path: Path, checkpoints: FakeCheckpointService, workers: FakeWorkers
) -> None:
    async with trainer_service(
        tmp_path, checkpoint_address=checkpoints.address, workers=workers, restart_secs=FOR_EVER
    ) as trainer:
        await saved_run(trainer)
        workers.of("a").die(-9)
        run = await reaches(trainer, "a", INTERRUPTED)
        assert run.HasField("restart_time")
        assert run_pb2.RUN_VERB_STOP in run.allowed_verbs
        stopped = (await trainer.StopRun(messages.StopRunRequest(name="runs/a"))).run
        assert stopped.state == run_pb2.RUN_STATE_STOPPED
        assert not stopped.HasField("restart_time")

        await trainer.ResumeRun(messages.ResumeRunRequest(name="runs/a"))
        await reaches(trainer, "a", RUNNING)
        workers.of("a").die(-9)
        await reaches(trainer, "a", INTERRUPTED)
        await trainer.ResumeRun(messages.ResumeRunRequest(name="runs/a"))
        resumed = await reaches(trainer, "a", RUNNING)
        assert resumed.restarts == 0  # somebody asked for it
        workers.of("a").die(-9)
        await reaches(trainer, "a", INTERRUPTED)
        await trainer.DeleteRun(messages.DeleteRunRequest(name="runs/a", permanently=True))


async def test_a_trainer_that_ended_takes_the_run_up_again(
    tmp_path: Path, checkpoints: FakeCheckpointService, workers: FakeWorkers
) -> None:
    """Orderly shut down here; killed in test_faults. Also when it ended during the pause."""
    again = partial(
        trainer_service, tmp_path, checkpoint_address=checkpoints.address, workers=workers
    )
    async with again(restart_secs=FOR_EVER) as trainer:
        await saved_run(trainer)
    async with again(restart_secs=FOR_EVER) as trainer:
        run = await get(trainer, "a")
        assert run.state == INTERRUPTED
        assert "shut down" in run.state_reason
        assert run.HasField("restart_time")
        assert len(workers.started) == 1
    async with again(restart_secs=0.001) as trainer:
        await lives(workers, 2)
        assert (await reaches(trainer, "a", RUNNING)).restarts == 1


async def test_a_checkpoint_service_that_is_away_is_no_fault_of_the_run(
    tmp_path: Path,
    checkpoints: FakeCheckpointService,
    workers: FakeWorkers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.trainer.saved.resuming.PATIENCE_SECS", 0.0)
    async with trainer_service(
        tmp_path, checkpoint_address=checkpoints.address, workers=workers, restart_secs=FOR_EVER
    ) as trainer:
        await saved_run(trainer)
        await checkpoints.away()
        workers.of("a").die(-9)
        await reaches(trainer, "a", INTERRUPTED)
        await trainer.ResumeRun(messages.ResumeRunRequest(name="runs/a"))
        run = await until(lambda: _again(trainer), what="it is interrupted again")
        assert "checkpoint does not answer" in run.state_reason
        await checkpoints.back()
        monkeypatch.undo()  # the line to it may need a moment
        await trainer.ResumeRun(messages.ResumeRunRequest(name="runs/a"))
        await reaches(trainer, "a", RUNNING)


async def _again(trainer: services.TrainerServiceAsyncStub) -> Run | None:
    run = await get(trainer, "a")
    return run if run.state == INTERRUPTED and "SIGKILL" not in run.state_reason else None


async def test_an_old_owner_cannot_save_after_a_new_one_began(
    trainer: services.TrainerServiceAsyncStub,
    workers: FakeWorkers,
    checkpoints: FakeCheckpointService,
) -> None:
    """The worker of a life that is over, as one on the far side of a broken line would be."""
    await saved_run(trainer)
    [(older, _)] = checkpoints.kept.values()
    workers.of("a").die(-9)
    await lives(workers, 2)
    await reaches(trainer, "a", RUNNING)
    newer = workers.of("a").start
    assert newer is not None
    assert newer.fencing_token > older.fencing_token > 0
    assert checkpoints.fences["runs/a"] == newer.fencing_token

    older.name = "runs/a/checkpoints/step-99999999"
    older.ClearField("files")
    async with channel(checkpoints.address, peer="checkpoint", caller="trainer") as line:
        with pytest.raises(LabError) as refusal:
            await send(CheckpointServiceStub(line), Path(newer.staging_folder), older)
    assert refusal.value.code is Code.FAILED_PRECONDITION
    assert older.name not in checkpoints.kept
