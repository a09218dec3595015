"""How a run comes among the others, is found there and changes its name."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest

from lab.errors import Code, LabError, NotFound
from lab.v1 import run_pb2
from lab.v1 import trainer_service_pb2 as messages
from lab.v1 import trainer_service_pb2_grpc as services
from tests.support.trainer_service import (
    create,
    get,
    reaches,
    tiny,
)


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
    with pytest.raises(LabError, match="page_size: must be at most 1,000, but is 1,001"):
        await trainer.ListRuns(messages.ListRunsRequest(page_size=1_001))


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
