"""A run that was killed, or forked, is bit for bit the one nobody touched. With real workers."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import torch

from lab.v1 import run_pb2, run_spec_pb2
from lab.v1 import trainer_service_pb2 as messages
from lab.v1 import trainer_service_pb2_grpc as services
from lab.v1.run_pb2 import Run
from lab.v1.run_spec_pb2 import RunSpec
from lab.v1.worker_pb2 import WorkerCommand, WorkerEvent
from services.trainer.runs.worker_process import Ending, WorkerProcess, start_worker
from services.trainer.worker.precision import multiplies_bf16
from tests.support.fake_checkpoint_service import FakeCheckpointService
from tests.support.trainer_service import create, get, reaches, tiny, trainer_service

pytestmark = pytest.mark.integration

STEPS = 40
SAVED_EVERY = 4
FP32, BF16 = run_spec_pb2.PRECISION_FP32, run_spec_pb2.PRECISION_BF16
needs_bf16 = pytest.mark.skipif(
    not multiplies_bf16(torch.device("cpu")), reason="this processor does not multiply bf16"
)
SAME = ("model.safetensors", "optim.safetensors")


class DoomedWorker:
    """A real worker that is killed soon after it has told of a step, once it has saved something:
    before that there would be nothing to go on from."""

    def __init__(self, worker: WorkerProcess, *, step: int, delay_secs: float) -> None:
        self._worker = worker
        self._step = step
        self._delay_secs = delay_secs
        self.ending: Ending | None = None

    async def send(self, command: WorkerCommand) -> None:
        await self._worker.send(command)

    async def events(self) -> AsyncIterator[WorkerEvent]:
        killed = saved = told = False
        async for event in self._worker.events():
            yield event
            saved = saved or event.HasField("staged")
            told = told or event.step_measured.step >= self._step
            if saved and told and not killed:
                await asyncio.sleep(self._delay_secs)  # into the middle of something
                os.kill(self._worker.pid, signal.SIGKILL)
                killed = True

    async def ended(self) -> Ending:
        self.ending = await self._worker.ended()
        return self.ending

    def kill(self) -> None:
        self._worker.kill()


class Workers:
    """Starts real workers; those of the run "killed" die at the steps of `dooms`, in turn."""

    def __init__(self) -> None:
        self.dooms: list[int] = []
        self.doomed: list[DoomedWorker] = []
        self._dice = random.Random(0)

    async def __call__(self, run: str, *, processes: int) -> WorkerProcess | DoomedWorker:
        worker = await start_worker(run, nice=0, processes=processes)
        if run != "killed" or not self.dooms:
            return worker
        delay_secs = self._dice.random() * 0.02
        doomed = DoomedWorker(worker, step=self.dooms.pop(0), delay_secs=delay_secs)
        self.doomed.append(doomed)
        return doomed


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Workers:
    """On links so narrow that a worker makes no more than a few steps that were not yet heard of,
    however slow the machine: it cannot be through before it is killed."""
    pair = socket.socketpair

    def narrow() -> tuple[socket.socket, socket.socket]:
        ends = pair()
        for end in ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        return ends

    monkeypatch.setattr("services.trainer.runs.worker_process.socket.socketpair", narrow)
    return Workers()


@pytest.fixture
async def trainer(
    tmp_path: Path, checkpoints: FakeCheckpointService, workers: Workers
) -> AsyncIterator[services.TrainerServiceAsyncStub]:
    async with trainer_service(
        tmp_path, checkpoint_address=checkpoints.address, workers=workers, restart_secs=0.001
    ) as stub:
        yield stub


def spec(precision: run_spec_pb2.Precision.ValueType, *, steps: int = STEPS) -> RunSpec:
    """Dropout and evaluations too: all that draws or measures has to come out the same."""
    wanted = tiny(steps, evaluate_every=6, checkpoint_every=SAVED_EVERY, checkpoint_on_stop=True)
    wanted.hooks.evaluate_batches, wanted.hooks.restarts = 2, 100
    wanted.model.dropout, wanted.budget.precision = 0.1, precision
    return wanted


async def numbers(trainer: services.TrainerServiceAsyncStub, run_id: str) -> dict[str, object]:
    """What depends on nothing but the run itself, by step."""
    names = ["loss", "grad_norm", "learning_rate", "validation_loss"]
    asked = messages.QuerySeriesRequest(name=f"runs/{run_id}", series=names, max_points=20_000)
    answer = (await trainer.QuerySeries(asked)).series
    return {each.name: (list(each.steps), list(each.values)) for each in answer.series}


def state_of(
    checkpoints: FakeCheckpointService, run_id: str, *, step: int = STEPS
) -> dict[str, bytes]:
    _, files = checkpoints.kept[f"runs/{run_id}/checkpoints/step-{step:08d}"]
    return {name: files[name] for name in SAME}


async def killed_run(
    trainer: services.TrainerServiceAsyncStub,
    workers: Workers,
    wanted: RunSpec,
    *,
    kills: int,
    seed: int,
) -> Run:
    """A run whose worker is killed so many times, each time at another step, and goes on by itself
    from what it had saved."""
    steps = range(2 * SAVED_EVERY, wanted.budget.steps - 4 * SAVED_EVERY)
    workers.dooms = sorted(random.Random(seed).choices(steps, k=kills))
    await create(trainer, "killed", wanted)
    run = await reaches(trainer, "killed", run_pb2.RUN_STATE_SUCCEEDED, secs=60 * (1 + kills))
    endings = [one.ending.exit_code for one in workers.doomed if one.ending]
    assert endings == [-signal.SIGKILL] * kills, f"seed {seed}: not every kill happened"
    return run


@pytest.mark.parametrize(
    ("precision", "kills"), [(FP32, 3), pytest.param(BF16, 1, marks=needs_bf16)]
)
async def test_a_killed_run_ends_bit_for_bit_as_one_nobody_touched(
    trainer: services.TrainerServiceAsyncStub,
    workers: Workers,
    checkpoints: FakeCheckpointService,
    precision: run_spec_pb2.Precision.ValueType,
    kills: int,
) -> None:
    await create(trainer, "whole", spec(precision))
    await reaches(trainer, "whole", run_pb2.RUN_STATE_SUCCEEDED)
    run = await killed_run(trainer, workers, spec(precision), kills=kills, seed=kills)
    assert state_of(checkpoints, "killed") == state_of(checkpoints, "whole")
    assert await numbers(trainer, "killed") == await numbers(trainer, "whole")
    assert not run.HasField("difference")
    assert not run.inexact_reasons


@pytest.mark.soak
@pytest.mark.timeout(1_800)
async def test_twenty_kills_at_random_steps_change_not_one_bit(
    trainer: services.TrainerServiceAsyncStub,
    workers: Workers,
    checkpoints: FakeCheckpointService,
) -> None:
    steps = 120
    await create(trainer, "whole", spec(FP32, steps=steps))
    await reaches(trainer, "whole", run_pb2.RUN_STATE_SUCCEEDED, secs=120)
    seed = random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")
    run = await killed_run(trainer, workers, spec(FP32, steps=steps), kills=20, seed=seed)
    whole = state_of(checkpoints, "whole", step=steps)
    assert state_of(checkpoints, "killed", step=steps) == whole
    assert await numbers(trainer, "killed") == await numbers(trainer, "whole")
    assert not run.HasField("difference")


async def test_a_fork_without_change_is_its_parent_and_one_with_is_not(
    trainer: services.TrainerServiceAsyncStub,
    checkpoints: FakeCheckpointService,
) -> None:
    await create(trainer, "whole", spec(FP32))
    await reaches(trainer, "whole", run_pb2.RUN_STATE_SUCCEEDED)
    # The first save is made at its step; later ones wait while one is under way.
    at = SAVED_EVERY
    fork = partial(messages.ForkRunRequest, checkpoint=f"runs/whole/checkpoints/step-{at:08d}")

    await trainer.ForkRun(fork(run_id="same"))
    run = await reaches(trainer, "same", run_pb2.RUN_STATE_SUCCEEDED)
    assert (run.parent.run, run.parent.step) == ("runs/whole", at)
    assert state_of(checkpoints, "same") == state_of(checkpoints, "whole")
    assert run.stats.tokens == (await get(trainer, "whole")).stats.tokens

    changed = RunSpec()
    changed.optimizer.learning_rate = 3e-3
    changed.budget.batch = 4
    await trainer.ForkRun(fork(run_id="other", overrides=changed))
    other = await reaches(trainer, "other", run_pb2.RUN_STATE_SUCCEEDED)
    assert state_of(checkpoints, "other") != state_of(checkpoints, "whole")
    assert other.stats.tokens == at * 2 * 32 + (STEPS - at) * 4 * 32

    asked = messages.QuerySeriesRequest(name="runs/same", series=["loss"], inherited=True)
    answer = await trainer.QuerySeries(asked)
    [own] = answer.series.series
    [inherited] = answer.inherited
    assert inherited.run == "runs/whole"
    assert list(inherited.series[0].steps) + list(own.steps) == list(range(1, STEPS + 1))
    whole = await numbers(trainer, "whole")
    assert (
        list(range(1, STEPS + 1)),
        list(inherited.series[0].values) + list(own.values),
    ) == whole["loss"]
