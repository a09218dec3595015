"""How long those who wait will wait: from measured steps, or not told."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.v1 import run_pb2
from lab.v1 import trainer_service_pb2 as messages
from lab.v1 import trainer_service_pb2_grpc as services
from lab.v1.trainer_service_pb2 import QueuedRun
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


async def queue(trainer: services.TrainerServiceAsyncStub) -> list[QueuedRun]:
    return list((await trainer.GetQueue(messages.GetQueueRequest())).runs)


async def test_times_come_from_steps_of_the_same_shape(
    trainer: services.TrainerServiceAsyncStub,
) -> None:
    assert await queue(trainer) == []
    await create(trainer, "a", tiny(ENDLESS))
    for run_id, steps in (("b", 100), ("c", 300)):
        await create(trainer, run_id, tiny(steps))
    await passes_step(trainer, "a", 5)
    first, second = await queue(trainer)
    running = (await get(trainer, "a")).stats
    per_step = running.elapsed_secs / running.step
    assert [first.run, second.run] == ["runs/b", "runs/c"]
    assert first.HasField("takes_secs")
    assert first.takes_secs == pytest.approx(100 * per_step, rel=0.5)
    assert second.takes_secs == pytest.approx(3 * first.takes_secs)
    assert second.starts_in_secs == pytest.approx(first.starts_in_secs + first.takes_secs)
    assert first.starts_in_secs == pytest.approx(running.remaining_secs, rel=0.5)

    await trainer.PauseRun(messages.PauseRunRequest(name="runs/a"))
    await reaches(trainer, "a", run_pb2.RUN_STATE_PAUSED)
    first, second = await queue(trainer)
    assert not first.HasField("starts_in_secs")
    assert first.unknown_because == second.unknown_because == "a is paused and keeps its slot"
    assert first.HasField("takes_secs")


async def test_another_shape_is_not_guessed(trainer: services.TrainerServiceAsyncStub) -> None:
    await create(trainer, "a", tiny(ENDLESS))
    wider = tiny(100)
    wider.model.width = 64
    await create(trainer, "b", wider)
    await create(trainer, "c", tiny(100))
    await passes_step(trainer, "a", 2)
    first, second = await queue(trainer)
    assert first.HasField("starts_in_secs")
    assert not first.HasField("takes_secs")
    assert first.unknown_because == "no step of the shape of b was measured here yet"
    assert not second.HasField("starts_in_secs")  # nobody knows how long b will take
    assert second.unknown_because == first.unknown_because


async def test_with_two_slots_the_one_that_is_free_first_counts(
    tmp_path: Path, workers: FakeWorkers
) -> None:
    async with trainer_service(tmp_path, workers=workers, slots=2) as trainer:
        await create(trainer, "a", tiny(ENDLESS))
        await create(trainer, "b", tiny(2 * ENDLESS))
        await passes_step(trainer, "a", 2)
        await passes_step(trainer, "b", 2)
        await create(trainer, "c", tiny(100))
        [waiting] = await queue(trainer)
        left = [(await get(trainer, each)).stats.remaining_secs for each in ("a", "b")]
        assert waiting.starts_in_secs == pytest.approx(min(left), rel=0.5)
