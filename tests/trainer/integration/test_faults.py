"""Things that go wrong, done for real: each test asserts that its fault happened."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest

from lab import manifest
from lab.bus import Bus
from lab.bus.streams import STEPS
from lab.rpc.client import channel
from lab.v1 import run_pb2
from lab.v1 import trainer_service_pb2 as messages
from lab.v1 import trainer_service_pb2_grpc as services
from lab.v1.event_pb2 import Event
from services.trainer.records.store import read_store
from services.trainer.runs.worker_process import WorkerProcess, start_worker
from tests.support.events import TailReader
from tests.support.fake_checkpoint_service import FakeCheckpointService
from tests.support.nats import NatsServer
from tests.support.processes import ended
from tests.support.trainer_service import (
    ENDLESS,
    TrainerProcess,
    create,
    everything_said,
    get,
    passes_step,
    reaches,
    tiny,
    trainer_process,
    trainer_service,
)
from tests.support.waiting import until

pytestmark = pytest.mark.integration


class Workers:
    """Starts real workers and keeps hold of them."""

    def __init__(self, *, silence_secs: float = 30.0) -> None:
        self.started: list[WorkerProcess] = []
        self._start = partial(start_worker, nice=0, silence_secs=silence_secs)

    async def __call__(self, run: str, *, processes: int) -> WorkerProcess:
        worker = await self._start(run, processes=processes)
        self.started.append(worker)
        return worker

    @property
    def pid(self) -> int:
        return self.started[-1].pid


async def recorded(trainer: services.TrainerServiceAsyncStub, run_id: str) -> list[int]:
    answer = await trainer.QuerySeries(
        messages.QuerySeriesRequest(name=f"runs/{run_id}", series=["loss"], max_points=20_000)
    )
    return list(answer.series.series[0].steps)


async def test_a_killed_worker_interrupts_the_run_and_no_step_is_lost(
    tmp_path: Path, nats: NatsServer, bus: Bus, checkpoints: FakeCheckpointService
) -> None:
    workers = Workers()
    async with (
        trainer_service(
            tmp_path,
            nats_url=nats.url,
            checkpoint_address=checkpoints.address,
            workers=workers,
        ) as trainer,
        TailReader(bus, STEPS, ["lab.v1.step.a"]) as steps,
    ):
        await create(trainer, "a", tiny(ENDLESS))
        await passes_step(trainer, "a", 10)
        os.kill(workers.pid, signal.SIGKILL)
        killed = time.monotonic()
        run = await reaches(trainer, "a", run_pb2.RUN_STATE_INTERRUPTED)
        assert time.monotonic() - killed < 5
        assert "SIGKILL" in run.state_reason
        made = await recorded(trainer, "a")
        await until(lambda: len(steps.seen) >= len(made))
    assert made == list(range(1, run.stats.step + 1))
    assert [event.step_measured.step for _, event in steps.seen] == made


async def test_a_killed_nats_server_neither_stalls_training_nor_loses_a_step(
    tmp_path: Path, nats: NatsServer, bus: Bus, checkpoints: FakeCheckpointService
) -> None:
    async with (
        trainer_service(
            tmp_path, nats_url=nats.url, checkpoint_address=checkpoints.address
        ) as trainer,
        TailReader(bus, STEPS, ["lab.v1.step.a"]) as steps,
    ):
        await create(trainer, "a", tiny(ENDLESS))
        for _ in range(3):
            await until(lambda: steps.seen, secs=60)
            before = (await get(trainer, "a")).stats.step
            await nats.kill()
            await passes_step(trainer, "a", before + 30)  # while there is no server
            assert not nats.running
            await nats.start()
            await until(partial(_reached, steps, before + 30), secs=20)
        await trainer.StopRun(messages.StopRunRequest(name="runs/a"))
        run = await reaches(trainer, "a", run_pb2.RUN_STATE_STOPPED)
        await until(partial(_reached, steps, run.stats.step), secs=20)
    assert [event.step_measured.step for _, event in steps.seen] == list(
        range(1, run.stats.step + 1)
    )


def _reached(steps: TailReader, step: int) -> bool:
    return steps.last.step_measured.step >= step


@asynccontextmanager
async def connected(process: TrainerProcess) -> AsyncIterator[services.TrainerServiceAsyncStub]:
    async with channel(process.address, peer="trainer", caller="client") as open_channel:
        yield services.TrainerServiceStub(open_channel)


async def test_a_killed_trainer_takes_up_where_it_was(
    tmp_path: Path, nats: NatsServer, bus: Bus, checkpoints: FakeCheckpointService
) -> None:
    async with TailReader(bus, STEPS, ["lab.v1.step.a"]) as steps:
        start = partial(
            trainer_process, tmp_path, nats_url=nats.url, checkpoint_address=checkpoints.address
        )
        with start() as first:
            async with connected(first) as trainer:
                await create(trainer, "a", tiny(ENDLESS, checkpoint_every=25, restarts=3))
                await passes_step(trainer, "a", 40)
                await until(lambda: checkpoints.kept)
                (worker,) = psutil.Process(first.process.pid).children()
                first.kill()
        await asyncio.to_thread(worker.wait, 20)  # an orphan ends by itself

        with start() as second:
            async with connected(second) as trainer:
                resumed = await reaches(trainer, "a", run_pb2.RUN_STATE_RUNNING)
                assert resumed.restarts == 1  # by itself
                facts = await everything_said(trainer, "a")
                states = [one for one in facts if one.HasField("run_state_changed")]
                cut, *_ = [one for one in states if one.run_state_changed.run.end_time.seconds]
                run = cut.run_state_changed.run
                assert run.state == run_pb2.RUN_STATE_INTERRUPTED
                assert "its metrics are kept" in run.state_reason
                made = [
                    one.step_measured.step
                    for one in facts
                    if one.HasField("step_measured") and one.sequence < cut.sequence
                ]
                assert made == list(range(1, run.stats.step + 1))
                await passes_step(trainer, "a", run.stats.step + 5)
                await trainer.StopRun(messages.StopRunRequest(name="runs/a"))
                end = await reaches(trainer, "a", run_pb2.RUN_STATE_STOPPED)
                assert await recorded(trainer, "a") == list(range(1, end.stats.step + 1))
                said = await everything_said(trainer, "a")
            assert second.end() == 0
        made_twice = [event for event in said if event.HasField("step_measured")]
        await until(lambda: len(steps.seen) >= len(made_twice), secs=20)
    assert steps.sequences == [event.sequence for event in made_twice]
    losses: dict[int, float] = {}
    for event in made_twice:  # the steps made again gave the same numbers
        measured = event.step_measured
        assert losses.setdefault(measured.step, measured.loss) == measured.loss
    assert len(made_twice) > len(losses)


async def test_a_save_that_a_killed_trainer_never_heard_of_is_gone_on_from(
    tmp_path: Path, nats: NatsServer, checkpoints: FakeCheckpointService
) -> None:
    start = partial(
        trainer_process, tmp_path, nats_url=nats.url, checkpoint_address=checkpoints.address
    )
    staging = tmp_path / "trainer" / "staging"
    with start() as first:
        async with connected(first) as trainer:
            await create(trainer, "a", tiny(ENDLESS, checkpoint_every=25, restarts=3))
            await until(lambda: checkpoints.kept, secs=60, what="it saves")
            (worker,) = psutil.Process(first.process.pid).children()
            first.process.send_signal(signal.SIGSTOP)  # from here on it hears nothing
            await until(lambda: psutil.Process(first.process.pid).status() == psutil.STATUS_STOPPED)
            known = {staged.folder for _, staged in read_store(tmp_path / "trainer").uploads}

            def untold() -> Path | None:
                found = [path.parent for path in staging.glob(f"*/*/*/{manifest.STAGED}")]
                return next((each for each in sorted(found) if str(each) not in known), None)

            folder = await until(untold, what="a save that it has not heard of")
            step = manifest.read_staged(folder).step
            name = f"runs/a/checkpoints/step-{step:08d}"
            assert name not in checkpoints.kept
            first.kill()
    await asyncio.to_thread(worker.wait, 20)
    with start() as second:
        async with connected(second) as trainer:
            await reaches(trainer, "a", run_pb2.RUN_STATE_RUNNING)
            assert name in checkpoints.kept
            said = await everything_said(trainer, "a")
            [resumed] = [one.run_resumed for one in said if one.HasField("run_resumed")]
            assert resumed.step >= step
            assert _steps_up_to(resumed.step, said) == list(range(1, resumed.step + 1))
            await trainer.StopRun(messages.StopRunRequest(name="runs/a", save=False))
            await reaches(trainer, "a", run_pb2.RUN_STATE_STOPPED)
    assert not folder.exists()


async def test_a_save_that_an_orphan_still_writes_is_waited_for_and_gone_on_from(
    tmp_path: Path, nats: NatsServer, checkpoints: FakeCheckpointService
) -> None:
    start = partial(
        trainer_process, tmp_path, nats_url=nats.url, checkpoint_address=checkpoints.address
    )
    with start() as first:
        async with connected(first) as trainer:
            await create(trainer, "a", tiny(ENDLESS, checkpoint_every=1, restarts=3))
            await until(lambda: checkpoints.kept, secs=60, what="it saves")
            (worker,) = psutil.Process(first.process.pid).children()
            halted = partial(_halted_half_way, worker, tmp_path, checkpoints)
            folder = await until(halted, secs=60, what="it is in the middle of a save")
            first.kill()
    step = _step_in(folder)
    with start() as second:
        async with connected(second) as trainer:
            # It waits with what it knows of, while the worker is where it was.
            await reaches(trainer, "a", run_pb2.RUN_STATE_STARTING)
            assert folder.is_dir()
            assert not (folder / manifest.STAGED).exists()
            worker.resume()
            await reaches(trainer, "a", run_pb2.RUN_STATE_RUNNING)
            assert ended(worker)
            assert f"runs/a/checkpoints/step-{step:08d}" in checkpoints.kept
            said = await everything_said(trainer, "a")
            [resumed] = [one.run_resumed for one in said if one.HasField("run_resumed")]
            assert resumed.step >= step
            assert _steps_up_to(resumed.step, said) == list(range(1, resumed.step + 1))
            await trainer.StopRun(messages.StopRunRequest(name="runs/a", save=False))
            await reaches(trainer, "a", run_pb2.RUN_STATE_STOPPED)
    assert not folder.exists()


def _steps_up_to(step: int, said: Iterable[Event]) -> list[int]:
    """All that was ever told of, in the order in which it was written down."""
    told = [one.step_measured.step for one in said if one.HasField("step_measured")]
    return [each for each in told if each <= step]


def _halted_half_way(
    worker: psutil.Process, home: Path, checkpoints: FakeCheckpointService
) -> Path | None:
    """Suspends the worker; lets it go on again unless it is in the middle of writing a save."""
    worker.suspend()
    for folder in home.glob("trainer/staging/*/*/checkpoint-*"):
        arrived = f"runs/a/checkpoints/step-{_step_in(folder):08d}" in checkpoints.kept
        if not arrived and not (folder / manifest.STAGED).exists():
            return folder
    worker.resume()
    return None


def _step_in(folder: Path) -> int:
    return int(folder.name.split("-")[1])


async def test_a_trainer_that_is_told_to_end_saves_and_ends_in_time(
    tmp_path: Path, nats: NatsServer, checkpoints: FakeCheckpointService
) -> None:
    with trainer_process(
        tmp_path, nats_url=nats.url, checkpoint_address=checkpoints.address
    ) as process:
        async with connected(process) as trainer:
            await create(trainer, "a", tiny(ENDLESS, checkpoint_on_stop=True))
            await passes_step(trainer, "a", 10)
            began = time.monotonic()
            assert await asyncio.to_thread(process.end) == 0
            assert time.monotonic() - began < 10
    async with trainer_service(
        tmp_path, nats_url=nats.url, checkpoint_address=checkpoints.address
    ) as trainer:
        run = await get(trainer, "a")
        assert run.state == run_pb2.RUN_STATE_INTERRUPTED
        assert run.state_reason == "the trainer was shut down"
        assert run.latest_checkpoint == f"runs/a/checkpoints/step-{run.stats.step:08d}"
        assert await recorded(trainer, "a") == list(range(1, run.stats.step + 1))


async def test_a_worker_that_falls_silent_is_ended(
    tmp_path: Path, checkpoints: FakeCheckpointService
) -> None:
    workers = Workers(silence_secs=2.0)
    async with trainer_service(
        tmp_path, checkpoint_address=checkpoints.address, workers=workers
    ) as trainer:
        await create(trainer, "a", tiny(ENDLESS))
        await passes_step(trainer, "a", 5)
        os.kill(workers.pid, signal.SIGSTOP)
        await until(lambda: psutil.Process(workers.pid).status() == psutil.STATUS_STOPPED)
        run = await reaches(trainer, "a", run_pb2.RUN_STATE_INTERRUPTED, secs=15)
        assert "did not answer" in run.state_reason
        assert not psutil.pid_exists(workers.pid)


async def test_a_loss_that_is_no_number_fails_the_run_with_advice(
    tmp_path: Path, checkpoints: FakeCheckpointService
) -> None:
    spec = tiny(200)
    spec.schedule.warmup_steps = 0
    spec.optimizer.learning_rate, spec.optimizer.weight_decay = 10.0, 10.0
    spec.optimizer.clip = 0.0
    async with trainer_service(tmp_path, checkpoint_address=checkpoints.address) as trainer:
        await create(trainer, "a", spec)
        run = await reaches(trainer, "a", run_pb2.RUN_STATE_FAILED)
        assert "learning" in run.state_reason
        assert run.stats.step < 200
        # The last three were no number: they were tried, not applied, and have no loss to record.
        assert await recorded(trainer, "a") == list(range(1, run.stats.step - 3 + 1))


async def test_answers_are_quick_while_a_run_trains_flat_out(
    tmp_path: Path, nats: NatsServer, checkpoints: FakeCheckpointService
) -> None:
    async with trainer_service(
        tmp_path, nats_url=nats.url, checkpoint_address=checkpoints.address
    ) as trainer:
        await create(trainer, "a", tiny(ENDLESS))
        await passes_step(trainer, "a", 20)
        times: list[float] = []
        for _ in range(10):
            for call in (
                lambda: trainer.PauseRun(messages.PauseRunRequest(name="runs/a")),
                lambda: trainer.ResumeRun(messages.ResumeRunRequest(name="runs/a")),
                lambda: trainer.QuerySeries(messages.QuerySeriesRequest(name="runs/a")),
            ):
                began = time.perf_counter()
                await call()
                times.append(time.perf_counter() - began)
        await trainer.StopRun(messages.StopRunRequest(name="runs/a"))
        await reaches(trainer, "a", run_pb2.RUN_STATE_STOPPED)
    print(f"answers: median {sorted(times)[15] * 1e3:.1f} ms, slowest {max(times) * 1e3:.1f} ms")
    assert sorted(times)[-3] < 0.3
