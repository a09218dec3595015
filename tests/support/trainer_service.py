"""The trainer service under test: in this process with any workers, or as a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from lab import folders
from lab.rpc.client import channel
from lab.run_state import state_word
from lab.service.run import Service
from lab.text import Corpora
from lab.v1 import run_pb2
from lab.v1 import trainer_service_pb2_grpc as services
from lab.v1.event_pb2 import Event
from lab.v1.run_pb2 import Run
from lab.v1.run_spec_pb2 import RunSpec
from lab.v1.trainer_service_pb2 import (
    CreateRunRequest,
    GetRunRequest,
    PauseRunRequest,
    QuerySeriesRequest,
    WatchRunRequest,
)
from services.trainer.records.state import State
from services.trainer.runs.surroundings import StartWorker
from services.trainer.runs.worker_process import start_worker
from services.trainer.service import Settings, wire
from tests.support.waiting import until

ENDLESS = 1_000_000  # steps of a run that no test waits for
NO_NATS = "nats://127.0.0.1:1"  # never the server of a cluster that happens to run here


def tiny(steps: int = 20, **hooks: Any) -> RunSpec:
    """Laid over the nano preset: a model whose step takes milliseconds."""
    spec = RunSpec()
    spec.model.layers, spec.model.width, spec.model.heads, spec.model.context = 1, 32, 2, 32
    spec.budget.steps, spec.budget.batch, spec.budget.threads = steps, 2, 1
    spec.hooks.evaluate_every, spec.hooks.sample_every = 0, 0
    spec.hooks.health_every, spec.hooks.probe_every = 0, 0
    spec.hooks.restarts = 0  # a test that wants a run to resume by itself says so
    for name, value in hooks.items():
        setattr(spec.hooks, name, value)
    return spec


def furnish(home: Path) -> None:
    """Lends the home a corpus that is prepared once per machine instead of once per test."""
    corpora = Corpora.at_home()
    corpora.prepare("tiny-shakespeare")
    home.mkdir(parents=True, exist_ok=True)
    for name, lent in (("corpora", corpora.folder), ("assets", folders.home() / "assets")):
        if not (home / name).exists():
            (home / name).symlink_to(lent)


@asynccontextmanager
async def trainer_service(
    home: Path,
    *,
    nats_url: str = NO_NATS,
    checkpoint_address: str = "127.0.0.1:1",
    workers: StartWorker | None = None,
    **settings: Any,
) -> AsyncIterator[services.TrainerServiceAsyncStub]:
    """The service in this process; yields a stub that talks to it over gRPC."""
    await asyncio.to_thread(furnish, home)
    async with AsyncExitStack() as stack:
        service = Service("trainer", stack)
        stack.push_async_callback(service.tasks.stop)
        values = Settings(
            home=home,
            port=0,
            nats_url=nats_url,
            checkpoint_address=checkpoint_address,
            **settings,
        )
        server = await wire(values, service, start_worker=workers or partial(start_worker, nice=0))
        await server.start()
        stack.push_async_callback(server.stop, 1.0)
        async with channel(
            f"127.0.0.1:{server.port}", peer="trainer", caller="client"
        ) as open_channel:
            yield services.TrainerServiceStub(open_channel)
        assert not service.tasks.failed.done(), service.tasks.failed.result()


class TrainerProcess:
    """`python -m services.trainer`, its log in a file."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log
        self.address = ""

    def wait_until_listening(self, *, secs: float = 60.0) -> None:
        deadline = time.monotonic() + secs
        while not self.address:
            assert self.process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            written = self._log.read_text()
            whole, _, _ = written.rpartition("\n")  # the last line may still be in the writing
            for entry in map(json.loads, whole.splitlines()):
                if entry["msg"] == "listening":
                    self.address = f"127.0.0.1:{entry['port']}"
            time.sleep(0.02)

    def kill(self) -> None:
        assert self.process.poll() is None, "it was dead already, so the fault would not happen"
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        """SIGTERM; answers the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


@contextmanager
def trainer_process(
    home: Path, *, nats_url: str, checkpoint_address: str
) -> Iterator[TrainerProcess]:
    furnish(home)
    command = [sys.executable, "-m", "services.trainer", "--port", "0", "--home", str(home)]
    command += ["--nats-url", nats_url, "--checkpoint-address", checkpoint_address]
    log = home / f"trainer-{time.time_ns()}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, stderr=file)
    trainer = TrainerProcess(process, log)
    try:
        trainer.wait_until_listening()
        yield trainer
    finally:
        process.kill()
        process.wait()


async def create(
    stub: services.TrainerServiceAsyncStub, run_id: str, spec: RunSpec | None = None, **fields: Any
) -> Run:
    request = CreateRunRequest(
        run_id=run_id, preset="nano", overrides=spec if spec is not None else tiny(), **fields
    )
    return (await stub.CreateRun(request, timeout=30)).run


async def get(stub: services.TrainerServiceAsyncStub, run_id: str) -> Run:
    return (await stub.GetRun(GetRunRequest(name=f"runs/{run_id}"))).run


async def reaches(
    stub: services.TrainerServiceAsyncStub, run_id: str, state: State, *, secs: float = 60.0
) -> Run:
    """The run once it is in the state."""

    async def there() -> Run | None:
        run = await get(stub, run_id)
        return run if run.state == state else None

    return await until(there, secs=secs, what=f"{run_id} is {state_word(state)}")


async def passes_step(
    stub: services.TrainerServiceAsyncStub, run_id: str, step: int, *, secs: float = 60.0
) -> Run:
    async def there() -> Run | None:
        run = await get(stub, run_id)
        return run if run.stats.step >= step else None

    return await until(there, secs=secs, what=f"{run_id} made {step} steps")


async def paused(stub: services.TrainerServiceAsyncStub, run_id: str, **hooks: Any) -> Run:
    """An endless run, halted after a few steps."""
    await create(stub, run_id, tiny(ENDLESS, **hooks))
    await passes_step(stub, run_id, 2)
    await stub.PauseRun(PauseRunRequest(name=f"runs/{run_id}"))
    return await reaches(stub, run_id, run_pb2.RUN_STATE_PAUSED)


async def everything_said(stub: services.TrainerServiceAsyncStub, run_id: str) -> list[Event]:
    """Every fact so far, also those that a resume from an earlier step gave up."""
    name = f"runs/{run_id}"
    known = await stub.QuerySeries(QuerySeriesRequest(name=name, series=["loss"]))
    said: list[Event] = []
    watching = stub.WatchRun(WatchRunRequest(name=name))
    async for answer in watching:
        said.append(answer.event)
        if answer.event.sequence >= known.series.last_sequence:
            break
    watching.cancel()
    return said
