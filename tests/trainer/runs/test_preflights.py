"""Who asks before starting a run is told what it would take, with times of real steps."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.spec import Timings, load_presets
from lab.spec.timings import BUSY_SECS
from lab.text import Assets, Corpora
from lab.text.from_tokens import write_tokens
from lab.v1 import preflight_pb2, run_pb2
from lab.v1 import trainer_service_pb2_grpc as services
from lab.v1.preflight_pb2 import Preflight
from lab.v1.run_pb2 import Run
from lab.v1.trainer_service_pb2 import CreateRunRequest, StopRunRequest
from lab.v1.worker_pb2 import StepTiming
from services.trainer.runs.preflights import Preflights
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


async def test_times_of_a_busy_machine_are_told_and_measured_again(tmp_path: Path) -> None:
    spec = load_presets()["nano"].spec
    write_tokens(tmp_path / "corpora" / spec.data.corpus, [range(1, 5_000)])
    corpora = Corpora(tmp_path / "corpora", Assets(tmp_path / "assets"))
    timings = Timings(tmp_path / "timings")
    timings.keep(spec, StepTiming(step_secs=0.5, steps=8, beside_others=True))
    (file,) = (tmp_path / "timings").iterdir()
    os.utime(file, (0, time.time() - BUSY_SECS - 1))
    quiet = StepTiming(step_secs=0.125, steps=8).SerializeToString()
    program = f"import sys; sys.stdout.buffer.write({quiet!r})"
    training = True
    preflights = Preflights(
        corpora,
        tmp_path,
        training=lambda: training,
        command=[sys.executable, "-c", program],
        quiet_secs=0.0,
    )
    measuring = asyncio.create_task(preflights.measure())
    try:
        beside_a_run = await preflights.of(Run(spec=spec))
        assert beside_a_run.timing == preflight_pb2.TIMING_SOURCE_MEASURED
        assert "beside other programs" in beside_a_run.timing_note
        training = False
        found = await preflights.of(Run(spec=spec))
        assert found.timing == preflight_pb2.TIMING_SOURCE_MEASURING
        assert found.step_secs == 0.5

        async def measured() -> Preflight | None:
            found = await preflights.of(Run(spec=spec))
            return found if found.timing == preflight_pb2.TIMING_SOURCE_MEASURED else None

        found = await until(measured, secs=60, what="the steps are measured again")
        assert (found.step_secs, found.timing_note) == (0.125, "")
    finally:
        measuring.cancel()
        await asyncio.wait([measuring])


async def test_a_run_that_is_made_has_no_preflight(
    trainer: services.TrainerServiceAsyncStub,
) -> None:
    request = CreateRunRequest(run_id="made", preset="nano", overrides=tiny(1))
    assert not (await trainer.CreateRun(request, timeout=30)).HasField("preflight")
