"""Verbs, slots and ends of runs, over gRPC, with workers that have no model."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import LabError, Unavailable
from lab.run_state import state_word
from lab.v1 import run_pb2
from lab.v1 import trainer_service_pb2 as messages
from lab.v1 import trainer_service_pb2_grpc as services
from tests.support.fake_checkpoint_service import FakeCheckpointService
from tests.support.fake_worker import FakeWorkers
from tests.support.trainer_service import (
    ENDLESS,
    create,
    get,
    passes_step,
    paused,
    reaches,
    tiny,
    trainer_service,
)
from tests.support.waiting import until


async def test_pausing_a_paused_run_is_no_error(trainer: services.TrainerServiceAsyncStub) -> None:
    run = await paused(trainer, "a")
    again = (await trainer.PauseRun(messages.PauseRunRequest(name="runs/a"))).run
    assert again.state == run_pb2.RUN_STATE_PAUSED
    assert again.stats.step == run.stats.step


async def test_advancing_makes_exactly_so_many_steps(
    trainer: services.TrainerServiceAsyncStub,
) -> None:
    before = await paused(trainer, "a")
    answer = await trainer.AdvanceRun(messages.AdvanceRunRequest(name="runs/a", steps=7))
    assert answer.run.state == run_pb2.RUN_STATE_RUNNING
    after = await reaches(trainer, "a", run_pb2.RUN_STATE_PAUSED)
    assert after.stats.step == before.stats.step + 7


@pytest.mark.parametrize("steps", [0, 10_001])
async def test_an_advance_out_of_bounds_is_refused(
    trainer: services.TrainerServiceAsyncStub, steps: int
) -> None:
    await paused(trainer, "a")
    with pytest.raises(LabError, match="1 to 10,000"):
        await trainer.AdvanceRun(messages.AdvanceRunRequest(name="runs/a", steps=steps))


async def test_a_pause_taken_back_and_asked_again_at_once_holds(
    trainer: services.TrainerServiceAsyncStub,
) -> None:
    await paused(trainer, "a")
    for _ in range(20):
        await trainer.ResumeRun(messages.ResumeRunRequest(name="runs/a"))
        await trainer.PauseRun(messages.PauseRunRequest(name="runs/a"))
        await reaches(trainer, "a", run_pb2.RUN_STATE_PAUSED, secs=5)


async def test_a_verb_that_the_state_forbids_is_refused_with_what_is_allowed(
    trainer: services.TrainerServiceAsyncStub,
) -> None:
    await create(trainer, "a", tiny(3))
    await reaches(trainer, "a", run_pb2.RUN_STATE_SUCCEEDED)
    with pytest.raises(LabError) as refusal:
        await trainer.PauseRun(messages.PauseRunRequest(name="runs/a"))
    assert refusal.value.message == "runs/a is SUCCEEDED; allowed: delete"
    assert refusal.value.metadata["state"] == "SUCCEEDED"
    assert refusal.value.metadata["allowed"] == "delete"


async def test_stopping_twice_stops_once(
    trainer: services.TrainerServiceAsyncStub, workers: FakeWorkers
) -> None:
    await paused(trainer, "a")
    for _ in range(2):
        await trainer.StopRun(messages.StopRunRequest(name="runs/a"))
    run = await reaches(trainer, "a", run_pb2.RUN_STATE_STOPPED)
    assert run.state_reason == ""
    assert run.HasField("end_time")
    stops = [one for one in workers.of("a").commands if one.HasField("stop")]
    assert len(stops) == 1
    assert not stops[0].stop.save


async def test_runs_wait_for_a_slot_in_order(
    trainer: services.TrainerServiceAsyncStub, workers: FakeWorkers
) -> None:
    await paused(trainer, "a")
    await create(trainer, "b", tiny(3))
    await create(trainer, "c", tiny(3))
    assert (await get(trainer, "b")).state == run_pb2.RUN_STATE_PENDING
    await trainer.StopRun(messages.StopRunRequest(name="runs/b"))
    assert (await get(trainer, "b")).state == run_pb2.RUN_STATE_STOPPED
    await trainer.StopRun(messages.StopRunRequest(name="runs/a"))
    await reaches(trainer, "c", run_pb2.RUN_STATE_SUCCEEDED)
    assert [run_id for run_id, _ in workers.started] == ["a", "c"]
    assert workers.at_once == 1


async def test_a_failing_worker_fails_the_run_with_its_reason(
    trainer: services.TrainerServiceAsyncStub, workers: FakeWorkers
) -> None:
    await create(trainer, "a", tiny(ENDLESS))
    await passes_step(trainer, "a", 1)
    workers.of("a").fail("the loss became NaN at step 2; lower optimizer.learning_rate")
    run = await reaches(trainer, "a", run_pb2.RUN_STATE_FAILED)
    assert "lower optimizer.learning_rate" in run.state_reason


async def test_a_vanished_worker_interrupts_the_run_and_the_signal_is_named(
    trainer: services.TrainerServiceAsyncStub, workers: FakeWorkers
) -> None:
    await create(trainer, "a", tiny(ENDLESS))
    await passes_step(trainer, "a", 1)
    workers.of("a").die(-9)
    run = await reaches(trainer, "a", run_pb2.RUN_STATE_INTERRUPTED)
    assert "SIGKILL" in run.state_reason
    assert run.allowed_verbs == [run_pb2.RUN_VERB_DELETE]


async def test_a_worker_that_cannot_be_started_fails_the_run(
    trainer: services.TrainerServiceAsyncStub, workers: FakeWorkers
) -> None:
    workers.refusal = OSError("no process could be made")
    await create(trainer, "a")
    run = await reaches(trainer, "a", run_pb2.RUN_STATE_FAILED)
    assert run.state_reason == "no process could be made"


async def test_a_run_deleted_for_good_is_gone_with_all_it_left(
    trainer: services.TrainerServiceAsyncStub, checkpoints: FakeCheckpointService, tmp_path: Path
) -> None:
    await paused(trainer, "a")
    await trainer.SnapshotRun(messages.SnapshotRunRequest(name="runs/a"))
    await trainer.PeekRun(messages.PeekRunRequest(name="runs/a"))
    await trainer.StopRun(messages.StopRunRequest(name="runs/a"))
    await reaches(trainer, "a", run_pb2.RUN_STATE_STOPPED)
    watching = aiter(trainer.WatchRun(messages.WatchRunRequest(name="runs/a")))
    assert (await anext(watching)).event.sequence == 1
    await trainer.DeleteRun(messages.DeleteRunRequest(name="runs/a", permanently=True))
    assert [answer.event async for answer in watching][-1].HasField("run_deleted")
    with pytest.raises(LabError, match="no run called a"):
        await get(trainer, "a")
    assert not list((tmp_path / "trainer" / "runs").iterdir())
    assert not list((tmp_path / "trainer" / "staging").glob("a/*"))
    await until(lambda: not checkpoints.kept)


async def test_a_restart_interrupts_what_trained_and_goes_on_with_what_waited(
    tmp_path: Path, checkpoints: FakeCheckpointService
) -> None:
    address = checkpoints.address
    async with trainer_service(
        tmp_path, checkpoint_address=address, workers=FakeWorkers()
    ) as trainer:
        spec = tiny(ENDLESS, checkpoint_on_stop=True)
        await create(trainer, "a", spec, request_id="r-1")
        await passes_step(trainer, "a", 5)
        await create(trainer, "b", tiny(5))
    workers = FakeWorkers()
    async with trainer_service(tmp_path, checkpoint_address=address, workers=workers) as trainer:
        run = await get(trainer, "a")
        assert state_word(run.state) == "INTERRUPTED"
        assert run.state_reason == "the trainer was shut down"
        assert run.latest_checkpoint in checkpoints.kept
        assert run_pb2.RUN_VERB_RESUME in run.allowed_verbs
        await reaches(trainer, "b", run_pb2.RUN_STATE_SUCCEEDED)
        assert (await create(trainer, "", spec, request_id="r-1")).name == "runs/a"


async def test_two_trainers_cannot_share_a_folder(
    tmp_path: Path, trainer: services.TrainerServiceAsyncStub
) -> None:
    with pytest.raises(Unavailable, match="another trainer"):
        async with trainer_service(tmp_path):
            pass


async def test_a_stop_while_the_worker_is_being_prepared_takes_effect_at_once(
    trainer: services.TrainerServiceAsyncStub,
    checkpoints: FakeCheckpointService,
    workers: FakeWorkers,
) -> None:
    await paused(trainer, "a")
    await trainer.StopRun(messages.StopRunRequest(name="runs/a", save=True))
    await reaches(trainer, "a", run_pb2.RUN_STATE_STOPPED)
    with checkpoints.hold("ListCheckpoints"):
        await trainer.ResumeRun(messages.ResumeRunRequest(name="runs/a"))
        await reaches(trainer, "a", run_pb2.RUN_STATE_STARTING)
        await trainer.StopRun(messages.StopRunRequest(name="runs/a"))
        await reaches(trainer, "a", run_pb2.RUN_STATE_STOPPED)
    assert len(workers.started) == 1
