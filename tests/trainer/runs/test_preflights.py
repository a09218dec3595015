"""Who asks before starting a run is told what it would take, with times of real steps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.v1 import preflight_pb2, run_pb2
from lab.v1 import trainer_service_pb2_grpc as services
from lab.v1.preflight_pb2 import Preflight
from lab.v1.trainer_service_pb2 import CreateRunRequest, StopRunRequest
from tests.support.trainer_service import create, passes_step, reaches, tiny, trainer_service
from tests.support.waiting import until


@pytest.fixture
async def trainer(tmp_path: Path) -> AsyncIterator[services.TrainerServiceAsyncStub]:
    async with trainer_service(tmp_path / "home") as stub:
        yield stub


async def ask(trainer: services.TrainerServiceAsyncStub) -> Preflight:
    request = CreateRunRequest(preset="nano", overrides=tiny(50), validate_only=True)
    return (await trainer.CreateRun(request, timeout=30)).preflight


@pytest.mark.integration
async def test_the_times_are_measured_once_and_told_from_then_on(
    trainer: services.TrainerServiceAsyncStub,
) -> None:
    first = await ask(trainer)
    assert first.timing == preflight_pb2.TIMING_SOURCE_MEASURING
    assert not first.HasField("duration_secs")
    assert (first.steps, first.tokens_per_step) == (50, 64)
    assert first.memory_bytes > 100 << 20

    async def measured() -> Preflight | None:
        found = await ask(trainer)
        return found if found.timing == preflight_pb2.TIMING_SOURCE_MEASURED else None

    found = await until(measured, secs=90, what="the steps are measured")
    assert 0 < found.step_secs < 10
    assert found.duration_secs >= 50 * found.step_secs


@pytest.mark.integration
async def test_beside_a_run_nothing_is_measured(
    trainer: services.TrainerServiceAsyncStub,
) -> None:
    run = await create(trainer, "busy", tiny(1_000_000))
    await passes_step(trainer, "busy", 1)
    found = await ask(trainer)
    assert found.timing == preflight_pb2.TIMING_SOURCE_NONE
    assert "a run is training" in found.timing_note
    await trainer.StopRun(StopRunRequest(name=run.name))
    await reaches(trainer, "busy", run_pb2.RUN_STATE_STOPPED)
    assert (await ask(trainer)).timing == preflight_pb2.TIMING_SOURCE_MEASURING


async def test_a_run_that_is_made_has_no_preflight(
    trainer: services.TrainerServiceAsyncStub,
) -> None:
    request = CreateRunRequest(run_id="made", preset="nano", overrides=tiny(1))
    assert not (await trainer.CreateRun(request, timeout=30)).HasField("preflight")
