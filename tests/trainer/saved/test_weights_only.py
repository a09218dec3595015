"""Checkpoints that hold weights only: listed, told, and never gone on from."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import pytest

from lab.errors import Code, LabError
from lab.v1 import run_pb2
from lab.v1 import trainer_service_pb2 as messages
from lab.v1 import trainer_service_pb2_grpc as services
from lab.v1.checkpoint_pb2 import CHECKPOINT_KIND_WEIGHTS, Checkpoint
from lab.v1.run_pb2 import LiveSettings, Run
from tests.support.fake_checkpoint_service import FakeCheckpointService
from tests.support.fake_worker import FakeWorkers
from tests.support.trainer_service import create, get, reaches, tiny, trainer_service
from tests.support.waiting import until

Trainer: TypeAlias = "services.TrainerServiceAsyncStub"
PAUSED, RUNNING = run_pb2.RUN_STATE_PAUSED, run_pb2.RUN_STATE_RUNNING
STOPPED, INTERRUPTED = run_pb2.RUN_STATE_STOPPED, run_pb2.RUN_STATE_INTERRUPTED


async def paused(trainer: Trainer) -> Run:
    await create(trainer, "a", tiny(1_000_000))
    await reaches(trainer, "a", RUNNING)
    await trainer.PauseRun(messages.PauseRunRequest(name="runs/a"))
    return await reaches(trainer, "a", PAUSED)


async def save(trainer: Trainer, *, weights_only: bool = True) -> Checkpoint:
    asked = messages.SnapshotRunRequest(name="runs/a", weights_only=weights_only)
    return (await trainer.SnapshotRun(asked)).checkpoint


async def stopped(trainer: Trainer, **fields: bool) -> Run:
    await trainer.StopRun(messages.StopRunRequest(name="runs/a", **fields))
    return await reaches(trainer, "a", STOPPED)


async def test_one_is_kept_and_told_and_is_nothing_to_go_on_from(
    trainer: Trainer, checkpoints: FakeCheckpointService
) -> None:
    step = (await paused(trainer)).stats.step
    kept = await save(trainer)
    assert kept.name == f"runs/a/checkpoints/weights-{step:08d}"
    assert kept.kind == CHECKPOINT_KIND_WEIGHTS
    facts = await trainer.ListFacts(
        messages.ListFactsRequest(name="runs/a", kinds=["checkpoint_committed"])
    )
    assert [fact.checkpoint_committed.checkpoint for fact in facts.events] == [kept.name]

    run = await stopped(trainer, save=False)
    assert list(checkpoints.kept) == [kept.name]
    assert run.latest_checkpoint == ""
    assert run_pb2.RUN_VERB_RESUME not in run.allowed_verbs
    with pytest.raises(LabError, match="weights alone are not enough") as refused:
        await trainer.ResumeRun(messages.ResumeRunRequest(name="runs/a"))
    assert refused.value.code is Code.FAILED_PRECONDITION
    with pytest.raises(LabError, match="holds weights only") as refused:
        await trainer.ForkRun(messages.ForkRunRequest(checkpoint=kept.name, run_id="b"))
    assert refused.value.code is Code.INVALID_ARGUMENT


async def test_a_resume_begins_at_the_full_one_before_it(
    trainer: Trainer, workers: FakeWorkers
) -> None:
    await paused(trainer)
    full = await save(trainer, weights_only=False)
    await trainer.AdvanceRun(messages.AdvanceRunRequest(name="runs/a", steps=5))
    await reaches(trainer, "a", PAUSED)
    newer = await save(trainer)
    assert newer.step == full.step + 5
    assert (await stopped(trainer, save=False)).latest_checkpoint == full.name
    await trainer.ResumeRun(messages.ResumeRunRequest(name="runs/a"))
    await until(lambda: len(workers.started) == 2)
    await reaches(trainer, "a", RUNNING)
    resumed = await trainer.ListFacts(
        messages.ListFactsRequest(name="runs/a", kinds=["run_resumed"])
    )
    assert [fact.run_resumed.checkpoint for fact in resumed.events] == [full.name]


async def test_a_run_that_has_only_weights_does_not_go_on_by_itself(
    tmp_path: Path, checkpoints: FakeCheckpointService, workers: FakeWorkers
) -> None:
    async with trainer_service(
        tmp_path, checkpoint_address=checkpoints.address, workers=workers, restart_secs=0.001
    ) as trainer:
        await create(trainer, "a", tiny(1_000_000, restarts=3))
        await reaches(trainer, "a", RUNNING)
        await save(trainer)
        workers.of("a").die(-9)
        run = await reaches(trainer, "a", INTERRUPTED)
        assert not run.HasField("restart_time")
        assert len(workers.started) == 1


@pytest.mark.parametrize("asked", [None, True])
async def test_a_stop_saves_as_the_policy_says_and_in_full_when_it_is_asked_for(
    trainer: Trainer, checkpoints: FakeCheckpointService, *, asked: bool | None
) -> None:
    step = (await paused(trainer)).stats.step
    live = LiveSettings(checkpoint_on_stop=True, checkpoint_weights_only=True)
    await trainer.UpdateRun(messages.UpdateRunRequest(name="runs/a", live=live))
    await stopped(trainer, **({} if asked is None else {"save": asked}))
    word = "weights" if asked is None else "step"
    assert list(checkpoints.kept) == [f"runs/a/checkpoints/{word}-{step:08d}"]
    assert (await get(trainer, "a")).latest_checkpoint == (
        "" if asked is None else f"runs/a/checkpoints/step-{step:08d}"
    )
