"""What a run hands to the checkpoint service, and what it goes on from."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import LabError, Unavailable
from lab.v1 import run_pb2, run_spec_pb2
from lab.v1 import trainer_service_pb2 as messages
from lab.v1 import trainer_service_pb2_grpc as services
from tests.support.fake_checkpoint_service import FakeCheckpointService
from tests.support.fake_worker import FakeWorkers
from tests.support.trainer_service import (
    ENDLESS,
    create,
    everything_said,
    get,
    passes_step,
    paused,
    reaches,
    tiny,
    trainer_service,
)
from tests.support.waiting import until


async def test_a_number_format_left_open_is_settled_by_the_first_start(
    trainer: services.TrainerServiceAsyncStub, workers: FakeWorkers
) -> None:
    """Resumed elsewhere, or on a busier day, the run must not go on in another one."""
    spec = tiny(ENDLESS)
    spec.budget.precision = run_spec_pb2.PRECISION_AUTO
    await create(trainer, "a", spec)
    await passes_step(trainer, "a", 1)
    assert (await get(trainer, "a")).spec.budget.precision == run_spec_pb2.PRECISION_BF16
    await trainer.StopRun(messages.StopRunRequest(name="runs/a", save=True))
    await reaches(trainer, "a", run_pb2.RUN_STATE_STOPPED)
    await trainer.ResumeRun(messages.ResumeRunRequest(name="runs/a"))
    await reaches(trainer, "a", run_pb2.RUN_STATE_RUNNING)
    start = workers.of("a").start
    assert len(workers.started) == 2
    assert start is not None
    assert start.spec.budget.precision == run_spec_pb2.PRECISION_BF16


async def test_a_snapshot_is_whole_when_it_is_answered(
    trainer: services.TrainerServiceAsyncStub, checkpoints: FakeCheckpointService
) -> None:
    run = await paused(trainer, "a")
    answer = await trainer.SnapshotRun(messages.SnapshotRunRequest(name="runs/a"))
    name = f"runs/a/checkpoints/step-{run.stats.step:08d}"
    assert answer.checkpoint.name == name
    assert answer.checkpoint.spec == run.spec
    assert answer.checkpoint.preset == "nano"
    assert list(checkpoints.kept) == [name]
    assert (await get(trainer, "a")).latest_checkpoint == name
    facts = await trainer.ListFacts(
        messages.ListFactsRequest(name="runs/a", kinds=["checkpoint_committed"])
    )
    assert [event.checkpoint_committed.checkpoint for event in facts.events] == [name]


async def test_a_peek_is_no_checkpoint(
    trainer: services.TrainerServiceAsyncStub, checkpoints: FakeCheckpointService
) -> None:
    await paused(trainer, "a")
    answer = await trainer.PeekRun(messages.PeekRunRequest(name="runs/a"))
    assert answer.peek.name == "runs/a/peek"
    assert list(checkpoints.kept) == ["runs/a/peek"]
    assert (await get(trainer, "a")).latest_checkpoint == ""
    facts = await trainer.ListFacts(
        messages.ListFactsRequest(name="runs/a", kinds=["checkpoint_committed"])
    )
    assert not facts.events


async def test_a_run_goes_on_from_its_newest_checkpoint(
    trainer: services.TrainerServiceAsyncStub, workers: FakeWorkers
) -> None:
    kept = await paused(trainer, "a")
    await trainer.SnapshotRun(messages.SnapshotRunRequest(name="runs/a"))
    await trainer.AdvanceRun(messages.AdvanceRunRequest(name="runs/a", steps=5))
    await reaches(trainer, "a", run_pb2.RUN_STATE_PAUSED)
    await trainer.StopRun(messages.StopRunRequest(name="runs/a"))
    stopped = await reaches(trainer, "a", run_pb2.RUN_STATE_STOPPED)
    assert stopped.stats.step == kept.stats.step + 5
    await trainer.ResumeRun(messages.ResumeRunRequest(name="runs/a"))
    await until(lambda: len(workers.started) == 2)
    await reaches(trainer, "a", run_pb2.RUN_STATE_RUNNING)
    await passes_step(trainer, "a", kept.stats.step + 10)
    await trainer.StopRun(messages.StopRunRequest(name="runs/a"))
    run = await reaches(trainer, "a", run_pb2.RUN_STATE_STOPPED)
    answer = await trainer.QuerySeries(
        messages.QuerySeriesRequest(name="runs/a", series=["loss"], max_points=20_000)
    )
    assert list(answer.series.series[0].steps) == list(range(1, run.stats.step + 1))
    facts = await trainer.ListFacts(
        messages.ListFactsRequest(name="runs/a", kinds=["step_measured"], limit=10_000)
    )
    holding = [event.step_measured.step for event in facts.events]
    assert holding == list(range(1, run.stats.step + 1))
    said = await everything_said(trainer, "a")
    made = [event.step_measured.step for event in said if event.HasField("step_measured")]
    again = [step for step in made if made.count(step) == 2]
    assert set(again) == set(range(kept.stats.step + 1, stopped.stats.step + 1))
    (rewound,) = [event.run_rewound for event in said if event.HasField("run_rewound")]
    assert rewound.step == kept.stats.step


async def test_a_damaged_checkpoint_is_passed_over_with_a_warning(
    trainer: services.TrainerServiceAsyncStub,
    checkpoints: FakeCheckpointService,
    workers: FakeWorkers,
) -> None:
    old = await paused(trainer, "a")
    await trainer.SnapshotRun(messages.SnapshotRunRequest(name="runs/a"))
    await trainer.AdvanceRun(messages.AdvanceRunRequest(name="runs/a", steps=5))
    await reaches(trainer, "a", run_pb2.RUN_STATE_PAUSED)
    newest = await trainer.SnapshotRun(messages.SnapshotRunRequest(name="runs/a"))
    await trainer.StopRun(messages.StopRunRequest(name="runs/a"))
    await reaches(trainer, "a", run_pb2.RUN_STATE_STOPPED)
    checkpoints.spoil(newest.checkpoint.name, "state.json")
    await trainer.ResumeRun(messages.ResumeRunRequest(name="runs/a"))
    await until(lambda: len(workers.started) == 2)
    await reaches(trainer, "a", run_pb2.RUN_STATE_RUNNING)
    facts = await trainer.ListFacts(messages.ListFactsRequest(name="runs/a", kinds=["log_written"]))
    assert "is damaged" in facts.events[-1].log_written.text
    states = await trainer.ListFacts(
        messages.ListFactsRequest(name="runs/a", kinds=["run_state_changed"])
    )
    begun = states.events[-1].run_state_changed.run
    assert begun.stats.step == old.stats.step
    assert begun.latest_checkpoint.endswith(f"step-{old.stats.step:08d}")


async def test_the_checkpoint_service_may_be_away_while_a_snapshot_is_taken(
    trainer: services.TrainerServiceAsyncStub, checkpoints: FakeCheckpointService
) -> None:
    run = await paused(trainer, "a")
    await checkpoints.away()
    waiting = trainer.SnapshotRun(messages.SnapshotRunRequest(name="runs/a"), timeout=30)
    await trainer.AdvanceRun(messages.AdvanceRunRequest(name="runs/a", steps=50))
    await passes_step(trainer, "a", run.stats.step + 50)
    assert not checkpoints.kept
    await checkpoints.back()
    answer = await waiting
    assert answer.checkpoint.name in checkpoints.kept
    assert answer.checkpoint.step in (run.stats.step, run.stats.step + 1)


async def test_a_stop_that_saves_is_over_when_the_checkpoint_is_whole(
    trainer: services.TrainerServiceAsyncStub, checkpoints: FakeCheckpointService
) -> None:
    await paused(trainer, "a")
    checkpoints.fail_next("WriteCheckpoint", Unavailable("starting"))
    await trainer.StopRun(messages.StopRunRequest(name="runs/a", save=True))
    run = await reaches(trainer, "a", run_pb2.RUN_STATE_STOPPED)
    assert len(checkpoints.called("WriteCheckpoint")) == 2
    assert run.latest_checkpoint in checkpoints.kept
    assert run_pb2.RUN_VERB_RESUME in run.allowed_verbs


async def test_a_checkpoint_that_could_not_be_sent_is_sent_after_the_restart(
    tmp_path: Path, checkpoints: FakeCheckpointService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.trainer.service.LAST_UPLOAD_SECS", 0.1)
    address = checkpoints.address
    async with trainer_service(
        tmp_path, checkpoint_address=address, workers=FakeWorkers()
    ) as trainer:
        await paused(trainer, "a", checkpoint_on_stop=True)
        await checkpoints.away()
    assert not checkpoints.kept
    async with trainer_service(
        tmp_path, checkpoint_address=address, workers=FakeWorkers()
    ) as trainer:
        assert (await get(trainer, "a")).latest_checkpoint == ""
        await checkpoints.back()

        async def arrived() -> bool:
            return (await get(trainer, "a")).latest_checkpoint != ""

        await until(arrived)
        assert run_pb2.RUN_VERB_RESUME in (await get(trainer, "a")).allowed_verbs
    assert not list((tmp_path / "trainer" / "staging").glob("*/*/*"))


async def test_a_run_whose_checkpoints_were_deleted_says_so_and_cannot_be_asked_again(
    trainer: services.TrainerServiceAsyncStub, checkpoints: FakeCheckpointService
) -> None:
    await paused(trainer, "a")
    await trainer.StopRun(messages.StopRunRequest(name="runs/a", save=True))
    run = await reaches(trainer, "a", run_pb2.RUN_STATE_STOPPED)
    del checkpoints.kept[run.latest_checkpoint]
    await trainer.ResumeRun(messages.ResumeRunRequest(name="runs/a"))
    run = await reaches(trainer, "a", run_pb2.RUN_STATE_FAILED)
    assert "no whole checkpoint left" in run.state_reason
    assert run.allowed_verbs == [run_pb2.RUN_VERB_DELETE]


async def test_a_resume_waits_for_a_checkpoint_service_that_is_away(
    trainer: services.TrainerServiceAsyncStub, checkpoints: FakeCheckpointService
) -> None:
    await paused(trainer, "a")
    await trainer.StopRun(messages.StopRunRequest(name="runs/a", save=True))
    await reaches(trainer, "a", run_pb2.RUN_STATE_STOPPED)
    checkpoints.fail_next("ListCheckpoints", Unavailable("starting"))
    await trainer.ResumeRun(messages.ResumeRunRequest(name="runs/a"))
    await reaches(trainer, "a", run_pb2.RUN_STATE_RUNNING)
    assert len(checkpoints.called("ListCheckpoints")) == 2


async def test_a_snapshot_that_cannot_be_written_says_why_and_the_next_one_can(
    trainer: services.TrainerServiceAsyncStub, workers: FakeWorkers
) -> None:
    await paused(trainer, "a")
    workers.of("a").disk_is_full = True
    with pytest.raises(LabError, match="make room on the disk"):
        await trainer.SnapshotRun(messages.SnapshotRunRequest(name="runs/a"))
    workers.of("a").disk_is_full = False
    assert (await trainer.SnapshotRun(messages.SnapshotRunRequest(name="runs/a"))).checkpoint.step


async def test_a_run_that_dies_answers_those_who_wait_for_its_state(
    trainer: services.TrainerServiceAsyncStub,
    checkpoints: FakeCheckpointService,
    workers: FakeWorkers,
) -> None:
    await paused(trainer, "a")
    workers.of("a").deaf = True
    waiting = trainer.SnapshotRun(messages.SnapshotRunRequest(name="runs/a"))
    await until(lambda: workers.of("a").commands[-1].HasField("stage"))
    workers.of("a").die(-11)
    with pytest.raises(LabError, match="came to its end"):
        await waiting
    run = await reaches(trainer, "a", run_pb2.RUN_STATE_INTERRUPTED)
    assert "SIGSEGV" in run.state_reason
