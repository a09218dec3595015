"""What may be asked of runs, over gRPC, with workers that have no model."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path

import pytest

from lab.errors import Code, LabError, NotFound, Unavailable
from lab.v1 import run_pb2, run_spec_pb2
from lab.v1 import trainer_service_pb2 as messages
from lab.v1 import trainer_service_pb2_grpc as services
from lab.v1.run_pb2 import Run
from services.trainer.runs.state import state_word
from tests.support.fake_checkpoint_service import FakeCheckpointService
from tests.support.fake_worker import FakeWorkers
from tests.support.trainer_service import (
    create,
    everything_said,
    get,
    passes_step,
    reaches,
    tiny,
    trainer_service,
)
from tests.support.waiting import until

ENDLESS = 1_000_000


async def paused(trainer: services.TrainerServiceAsyncStub, run_id: str, **hooks: object) -> Run:
    await create(trainer, run_id, tiny(ENDLESS, **hooks))
    await passes_step(trainer, run_id, 2)
    await trainer.PauseRun(messages.PauseRunRequest(name=f"runs/{run_id}"))
    return await reaches(trainer, run_id, run_pb2.RUN_STATE_PAUSED)


async def test_creating_twice_with_one_request_id_makes_one_run(
    trainer: services.TrainerServiceAsyncStub,
) -> None:
    first = await create(trainer, "", request_id="r-1")
    second = await create(trainer, "", request_id="r-1")
    assert first.name == second.name
    assert first.name.startswith("runs/nano-")
    assert len((await trainer.ListRuns(messages.ListRunsRequest())).runs) == 1


async def test_a_taken_id_is_refused(trainer: services.TrainerServiceAsyncStub) -> None:
    await create(trainer, "a", request_id="r-1")
    with pytest.raises(LabError) as refusal:
        await create(trainer, "a", request_id="r-2")
    assert refusal.value.code is Code.ALREADY_EXISTS
    assert "called a already" in refusal.value.message


async def test_validating_only_creates_nothing(trainer: services.TrainerServiceAsyncStub) -> None:
    run = await create(trainer, "", validate_only=True)
    assert run.name == ""
    assert run.spec.model.width == 32
    assert run.stats.parameters > 50257 * 32
    assert run.stats.total_steps == 20
    assert not (await trainer.ListRuns(messages.ListRunsRequest())).runs


async def test_a_bad_spec_is_refused_with_every_field_and_leaves_no_run(
    trainer: services.TrainerServiceAsyncStub,
) -> None:
    spec = tiny()
    spec.model.heads = 5
    spec.budget.batch = 0
    with pytest.raises(LabError) as refusal:
        await create(trainer, "a", spec)
    assert {violation.field for violation in refusal.value.violations} >= {"budget.batch"}
    with pytest.raises(LabError, match="no run called a"):
        await get(trainer, "a")


@pytest.mark.parametrize("run_id", ["A", "../x", "a.b", "a/b", "-a", "x" * 64])
async def test_an_id_that_could_be_something_else_is_refused(
    trainer: services.TrainerServiceAsyncStub, run_id: str
) -> None:
    with pytest.raises(LabError) as refusal:
        await create(trainer, run_id)
    assert refusal.value.violations[0].field == "run_id"


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


async def test_a_deleted_run_is_gone_and_its_checkpoints_stay(
    trainer: services.TrainerServiceAsyncStub, checkpoints: FakeCheckpointService, tmp_path: Path
) -> None:
    await paused(trainer, "a")
    kept = await trainer.SnapshotRun(messages.SnapshotRunRequest(name="runs/a"))
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
    await until(lambda: list(checkpoints.kept) == [kept.checkpoint.name])


async def test_watching_gives_every_fact_once_and_then_the_new_ones(
    trainer: services.TrainerServiceAsyncStub,
) -> None:
    await create(trainer, "a", tiny(300))
    sequences: list[int] = []
    async for answer in trainer.WatchRun(messages.WatchRunRequest(name="runs/a", after_sequence=2)):
        sequences.append(answer.event.sequence)
        changed = answer.event.run_state_changed.run
        if changed.state == run_pb2.RUN_STATE_SUCCEEDED:
            break
    assert sequences == list(range(3, sequences[-1] + 1))
    assert len(sequences) >= 300


async def test_a_name_and_notes_can_be_changed(trainer: services.TrainerServiceAsyncStub) -> None:
    await create(trainer, "a")
    request = messages.UpdateRunRequest(name="runs/a", display_name="My first", notes="hm")
    run = (await trainer.UpdateRun(request)).run
    assert (run.display_name, run.notes) == ("My first", "hm")
    request = messages.UpdateRunRequest(name="runs/a", notes="x" * 10_001)
    with pytest.raises(LabError, match="at most 10,000"):
        await trainer.UpdateRun(request)


async def test_runs_are_listed_newest_first_in_pages(
    trainer: services.TrainerServiceAsyncStub,
) -> None:
    for run_id in ("a", "b", "c", "d", "e"):
        await create(trainer, run_id)
    seen: list[str] = []
    token = ""
    while True:
        page = await trainer.ListRuns(messages.ListRunsRequest(page_size=2, page_token=token))
        seen += [run.name for run in page.runs]
        token = page.next_page_token
        if not token:
            break
    assert seen == ["runs/e", "runs/d", "runs/c", "runs/b", "runs/a"]
    with pytest.raises(LabError, match="page_token"):
        await trainer.ListRuns(messages.ListRunsRequest(page_token="nonsense"))


async def test_presets_and_corpora_are_told(trainer: services.TrainerServiceAsyncStub) -> None:
    presets = (await trainer.ListPresets(messages.ListPresetsRequest())).presets
    assert [preset.name for preset in presets] == ["nano", "small", "medium"]
    corpora = (await trainer.ListCorpora(messages.ListCorporaRequest())).corpora
    assert "corpora/tiny-shakespeare" in [corpus.name for corpus in corpora]
    answer = await trainer.PreviewCorpus(
        messages.PreviewCorpusRequest(name="corpora/tiny-shakespeare"), timeout=60
    )
    assert answer.text.startswith("First Citizen")
    assert answer.corpus.tokens == 338_026  # the end-of-text token before it included


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


async def test_two_trainers_cannot_share_a_folder(
    tmp_path: Path, trainer: services.TrainerServiceAsyncStub
) -> None:
    with pytest.raises(Unavailable, match="another trainer"):
        async with trainer_service(tmp_path):
            pass


async def test_a_name_used_again_starts_anew(trainer: services.TrainerServiceAsyncStub) -> None:
    await create(trainer, "a", tiny(3))
    first = await reaches(trainer, "a", run_pb2.RUN_STATE_SUCCEEDED)
    facts = await trainer.ListFacts(messages.ListFactsRequest(name="runs/a"))
    await trainer.DeleteRun(messages.DeleteRunRequest(name="runs/a", permanently=True))
    await create(trainer, "a", tiny(3))
    second = await reaches(trainer, "a", run_pb2.RUN_STATE_SUCCEEDED)
    assert second.create_time.ToNanoseconds() > first.create_time.ToNanoseconds()
    again = await trainer.ListFacts(messages.ListFactsRequest(name="runs/a"))
    assert again.events[0].sequence > facts.events[-1].sequence


async def test_an_unknown_run_is_not_found_by_any_call(
    trainer: services.TrainerServiceAsyncStub,
) -> None:
    calls: list[Awaitable[object]] = [
        trainer.GetRun(messages.GetRunRequest(name="runs/x")),
        trainer.PauseRun(messages.PauseRunRequest(name="runs/x")),
        trainer.StopRun(messages.StopRunRequest(name="runs/x")),
        trainer.DeleteRun(messages.DeleteRunRequest(name="runs/x")),
        trainer.QuerySeries(messages.QuerySeriesRequest(name="runs/x")),
        trainer.ListFacts(messages.ListFactsRequest(name="runs/x")),
        trainer.PeekRun(messages.PeekRunRequest(name="runs/x")),
    ]
    for call in calls:
        with pytest.raises(LabError) as refusal:
            await call
        assert refusal.value.code is NotFound.code


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
