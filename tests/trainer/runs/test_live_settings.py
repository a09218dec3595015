"""Changing a run while it trains, and what is said about it beside its spec."""

from __future__ import annotations

import math

import pytest

from lab.errors import Code, LabError
from lab.v1 import run_pb2
from lab.v1 import trainer_service_pb2 as messages
from lab.v1 import trainer_service_pb2_grpc as services
from lab.v1.event_pb2 import Event
from lab.v1.run_pb2 import LiveSettings, LossPrediction, Run, SamplePrompts
from tests.support.fake_worker import FakeWorkers
from tests.support.trainer_service import ENDLESS, create, get, passes_step, reaches, tiny
from tests.support.waiting import until


async def adjust(trainer: services.TrainerServiceAsyncStub, live: LiveSettings) -> Run:
    return (await trainer.UpdateRun(messages.UpdateRunRequest(name="runs/a", live=live))).run


async def facts(trainer: services.TrainerServiceAsyncStub) -> list[Event]:
    asked = messages.ListFactsRequest(name="runs/a", kinds=["settings_changed"])
    return list((await trainer.ListFacts(asked)).events)


async def test_a_change_reaches_the_worker_and_becomes_a_fact(
    trainer: services.TrainerServiceAsyncStub, workers: FakeWorkers
) -> None:
    await create(trainer, "a", tiny(ENDLESS))
    await passes_step(trainer, "a", 2)
    run = await adjust(trainer, LiveSettings(learning_rate_scale=0.5))
    assert run.live.learning_rate_scale == 0.5
    await until(lambda: workers.of("a").commands[-1].HasField("adjust"))

    async def told() -> bool:
        return bool(await facts(trainer))

    await until(told)
    fact = (await facts(trainer))[0].settings_changed
    assert fact.live.learning_rate_scale == 0.5
    assert fact.step >= 2


async def test_each_change_keeps_the_others_and_a_list_replaces_the_list(
    trainer: services.TrainerServiceAsyncStub, workers: FakeWorkers
) -> None:
    await create(trainer, "a", tiny(ENDLESS))
    await passes_step(trainer, "a", 1)
    await adjust(trainer, LiveSettings(sample_prompts=SamplePrompts(prompts=["Once", "Then"])))
    await adjust(trainer, LiveSettings(learning_rate_scale=2.0))
    run = await adjust(trainer, LiveSettings(sample_prompts=SamplePrompts(prompts=["Now"])))
    expected = LiveSettings(learning_rate_scale=2.0, sample_prompts=SamplePrompts(prompts=["Now"]))
    assert run.live == expected
    await until(lambda: workers.of("a").commands[-1].adjust == expected)


async def test_a_run_that_goes_on_begins_with_what_was_changed(
    trainer: services.TrainerServiceAsyncStub, workers: FakeWorkers
) -> None:
    await create(trainer, "a", tiny(ENDLESS))
    await passes_step(trainer, "a", 1)
    await trainer.StopRun(messages.StopRunRequest(name="runs/a", save=True))
    await reaches(trainer, "a", run_pb2.RUN_STATE_STOPPED)
    await adjust(trainer, LiveSettings(learning_rate_scale=0.25))
    await trainer.ResumeRun(messages.ResumeRunRequest(name="runs/a"))
    await reaches(trainer, "a", run_pb2.RUN_STATE_RUNNING)
    start = workers.of("a").start
    assert start is not None
    assert start.live.learning_rate_scale == 0.25


@pytest.mark.parametrize(
    ("live", "field"),
    [
        (LiveSettings(learning_rate_scale=0), "live.learning_rate_scale"),
        (LiveSettings(learning_rate_scale=math.nan), "live.learning_rate_scale"),
        (LiveSettings(learning_rate_scale=101), "live.learning_rate_scale"),
        (LiveSettings(sample_every=100_000_001), "live.sample_every"),
        (LiveSettings(sample_prompts=SamplePrompts()), "live.sample_prompts"),
        (LiveSettings(sample_prompts=SamplePrompts(prompts=[""])), "live.sample_prompts[0]"),
    ],
)
async def test_what_makes_no_sense_is_refused_and_nothing_changes(
    trainer: services.TrainerServiceAsyncStub, live: LiveSettings, field: str
) -> None:
    await create(trainer, "a", tiny(ENDLESS))
    with pytest.raises(LabError) as refusal:
        await adjust(trainer, live)
    assert [violation.field for violation in refusal.value.violations] == [field]
    assert not (await get(trainer, "a")).HasField("live")


async def test_a_run_that_made_its_last_step_cannot_be_changed(
    trainer: services.TrainerServiceAsyncStub,
) -> None:
    await create(trainer, "a", tiny(2))
    await reaches(trainer, "a", run_pb2.RUN_STATE_SUCCEEDED)
    with pytest.raises(LabError) as refusal:
        await adjust(trainer, LiveSettings(learning_rate_scale=0.5))
    assert refusal.value.code is Code.FAILED_PRECONDITION
    assert "last step" in refusal.value.message


async def test_tags_are_cleaned_and_replaced_whole(
    trainer: services.TrainerServiceAsyncStub,
) -> None:
    run = await create(trainer, "a", tiny(ENDLESS), tags=["warm-up", " baseline ", "warm-up"])
    assert list(run.tags) == ["baseline", "warm-up"]
    tags = messages.RunTags(tags=["lesson 3"])
    answer = await trainer.UpdateRun(messages.UpdateRunRequest(name="runs/a", tags=tags))
    assert list(answer.run.tags) == ["lesson 3"]
    none = messages.RunTags()
    answer = await trainer.UpdateRun(messages.UpdateRunRequest(name="runs/a", tags=none))
    assert list(answer.run.tags) == []


async def test_a_prediction_is_kept_with_the_run(trainer: services.TrainerServiceAsyncStub) -> None:
    sketch = LossPrediction(steps=[1, 100], losses=[10.8, 5.0])
    await create(trainer, "a", tiny(ENDLESS), prediction=sketch)
    assert (await get(trainer, "a")).prediction == sketch


@pytest.mark.parametrize(
    "sketch",
    [
        LossPrediction(steps=[1], losses=[]),
        LossPrediction(steps=[2, 2], losses=[1, 1]),
        LossPrediction(steps=[1], losses=[math.inf]),
        LossPrediction(steps=[1], losses=[-1]),
    ],
)
async def test_a_prediction_that_is_no_curve_is_refused(
    trainer: services.TrainerServiceAsyncStub, sketch: LossPrediction
) -> None:
    with pytest.raises(LabError) as refusal:
        await create(trainer, "a", tiny(ENDLESS), prediction=sketch)
    assert refusal.value.violations[0].field.startswith("prediction")
