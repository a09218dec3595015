"""Forks: what may be asked for, what they inherit, and where they begin."""

from __future__ import annotations

from functools import partial
from typing import TypeAlias

import pytest

from lab.errors import Code, LabError
from lab.v1 import run_pb2
from lab.v1 import trainer_service_pb2 as messages
from lab.v1 import trainer_service_pb2_grpc as services
from lab.v1.run_pb2 import Run
from lab.v1.run_spec_pb2 import RunSpec
from tests.support.fake_checkpoint_service import FakeCheckpointService
from tests.support.fake_worker import FakeWorkers
from tests.support.trainer_service import ENDLESS, create, passes_step, reaches, tiny

Trainer: TypeAlias = "services.TrainerServiceAsyncStub"


async def saved(trainer: Trainer, run_id: str) -> str:
    """A stopped run and its one checkpoint."""
    await create(trainer, run_id, tiny(ENDLESS))
    await passes_step(trainer, run_id, 3)
    await trainer.StopRun(messages.StopRunRequest(name=f"runs/{run_id}", save=True))
    return (await reaches(trainer, run_id, run_pb2.RUN_STATE_STOPPED)).latest_checkpoint


async def fork(trainer: Trainer, checkpoint: str, run_id: str, **fields: object) -> Run:
    request = partial(messages.ForkRunRequest, checkpoint=checkpoint, run_id=run_id)
    return (await trainer.ForkRun(request(**fields))).run  # type: ignore[arg-type]


async def test_a_fork_begins_where_its_checkpoint_was_and_knows_its_parent(
    trainer: Trainer, workers: FakeWorkers, checkpoints: FakeCheckpointService
) -> None:
    checkpoint = await saved(trainer, "a")
    [(header, _)] = checkpoints.kept.values()
    overrides = RunSpec()
    overrides.optimizer.learning_rate = 0.5
    forked = await fork(trainer, checkpoint, "b", overrides=overrides, tags=["try"])
    assert (forked.parent.run, forked.parent.checkpoint) == ("runs/a", checkpoint)
    assert forked.parent.step == forked.stats.step == header.step
    assert forked.spec.optimizer.learning_rate == 0.5
    assert forked.spec.model == header.spec.model
    assert list(forked.tags) == ["try"]
    await passes_step(trainer, "b", header.step + 2)
    start = workers.of("b").start
    assert start is not None
    assert start.fork
    assert start.resume_folder

    asked = messages.QuerySeriesRequest(name="runs/b", series=["loss"], inherited=True)
    answer = await trainer.QuerySeries(asked)
    assert answer.series.series[0].steps[0] == header.step + 1
    assert list(answer.inherited[0].series[0].steps) == list(range(1, header.step + 1))
    asked.inherited = False
    assert not (await trainer.QuerySeries(asked)).inherited


async def test_history_goes_back_over_several_forks_and_ends_at_a_deleted_run(
    trainer: Trainer,
) -> None:
    first = await saved(trainer, "a")
    await fork(trainer, first, "b")
    at_a = int(first.rpartition("-")[2])
    await passes_step(trainer, "b", at_a + 3)
    await trainer.StopRun(messages.StopRunRequest(name="runs/b", save=True))
    second = (await reaches(trainer, "b", run_pb2.RUN_STATE_STOPPED)).latest_checkpoint
    await fork(trainer, second, "c")
    at_b = int(second.rpartition("-")[2])
    await passes_step(trainer, "c", at_b + 1)

    asked = messages.QuerySeriesRequest(name="runs/c", series=["loss"], inherited=True)
    answer = await trainer.QuerySeries(asked)
    assert [(each.run, each.series[0].steps[-1]) for each in answer.inherited] == [
        ("runs/b", at_b),
        ("runs/a", at_a),
    ]
    asked.step_to = at_a
    answer = await trainer.QuerySeries(asked)
    assert [list(each.series[0].steps) for each in answer.inherited] == [
        [],
        list(range(1, at_a + 1)),
    ]
    await trainer.DeleteRun(messages.DeleteRunRequest(name="runs/b", permanently=True))
    asked.step_to = 0
    assert not (await trainer.QuerySeries(asked)).inherited


async def test_a_fork_that_has_saved_nothing_begins_again_at_its_parents_checkpoint(
    trainer: Trainer, workers: FakeWorkers
) -> None:
    checkpoint = await saved(trainer, "a")
    await fork(trainer, checkpoint, "b")
    at = int(checkpoint.rpartition("-")[2])
    await passes_step(trainer, "b", at + 2)
    workers.of("b").die(-9)
    run = await reaches(trainer, "b", run_pb2.RUN_STATE_INTERRUPTED)
    assert run_pb2.RUN_VERB_RESUME in run.allowed_verbs
    await trainer.ResumeRun(messages.ResumeRunRequest(name="runs/b"))
    await reaches(trainer, "b", run_pb2.RUN_STATE_RUNNING)
    await passes_step(trainer, "b", at + 3)
    answer = await trainer.QuerySeries(messages.QuerySeriesRequest(name="runs/b", series=["loss"]))
    assert answer.series.series[0].steps[0] == at + 1


async def test_asking_twice_with_one_id_forks_once(trainer: Trainer) -> None:
    checkpoint = await saved(trainer, "a")
    first = await fork(trainer, checkpoint, "", request_id="r")
    assert (await fork(trainer, checkpoint, "", request_id="r")).name == first.name
    assert first.name.startswith("runs/nano-")
    checked = await fork(trainer, checkpoint, "", validate_only=True)
    assert checked.name == ""
    assert len((await trainer.ListRuns(messages.ListRunsRequest())).runs) == 2


@pytest.mark.parametrize(
    ("section", "field", "value", "said"),
    [
        ("model", "layers", 2, "model.layers: must stay 1"),
        ("model", "context", 64, "model.context: must stay 32"),
        ("budget", "steps", 1, "budget.steps: must be more than"),
        ("optimizer", "beta1", 2.0, "optimizer.beta1"),
    ],
)
async def test_what_cannot_be_changed_is_named(
    trainer: Trainer, section: str, field: str, value: float, said: str
) -> None:
    checkpoint = await saved(trainer, "a")
    overrides = RunSpec()
    setattr(getattr(overrides, section), field, value)
    with pytest.raises(LabError) as refusal:
        await fork(trainer, checkpoint, "b", overrides=overrides)
    assert refusal.value.code is Code.INVALID_ARGUMENT
    assert said in refusal.value.message


async def test_a_smaller_batch_brings_a_micro_batch_that_fits(trainer: Trainer) -> None:
    checkpoint = await saved(trainer, "a")
    overrides = RunSpec()
    overrides.budget.batch = 1
    assert (await fork(trainer, checkpoint, "b", overrides=overrides)).spec.budget.micro_batch == 1


@pytest.mark.parametrize(
    ("checkpoint", "code"),
    [
        ("runs/a/checkpoints/step-00000777", Code.NOT_FOUND),
        ("runs/a/peek", Code.INVALID_ARGUMENT),
        ("../etc", Code.INVALID_ARGUMENT),
    ],
)
async def test_there_has_to_be_such_a_checkpoint(
    trainer: Trainer, checkpoint: str, code: Code
) -> None:
    with pytest.raises(LabError) as refusal:
        await fork(trainer, checkpoint, "b")
    assert refusal.value.code is code
