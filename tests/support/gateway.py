"""The real gateway in this process, before fake services on free ports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from lab.bus import Bus
from lab.bus.subjects import subject_of
from lab.rpc.server import GrpcServer
from lab.service.run import Service
from lab.v1.event_pb2 import Event, StepMeasured
from services.gateway.server import HttpServer
from services.gateway.service import Settings, build
from tests.support.fake_checkpoints import FakeCheckpoints
from tests.support.fake_inference import FakeInference
from tests.support.fake_trainer import FakeTrainer
from tests.support.live_client import LiveClient

NO_NATS = "nats://127.0.0.1:1"


@dataclass
class Fakes:
    """The services behind a gateway under test."""

    trainer: FakeTrainer = field(default_factory=FakeTrainer)
    checkpoints: FakeCheckpoints = field(default_factory=FakeCheckpoints)
    inference: FakeInference = field(default_factory=FakeInference)
    addresses: dict[str, str] = field(default_factory=dict)

    @property
    def calls(self) -> int:
        return sum(len(fake.calls) for fake in (self.trainer, self.checkpoints, self.inference))


@asynccontextmanager
async def fake_services() -> AsyncIterator[Fakes]:
    fakes = Fakes()
    servicers = {
        "trainer_address": [fakes.trainer.servicer()],
        "checkpoint_address": [fakes.checkpoints.servicer()],
        "inference_address": fakes.inference.servicers(),
    }
    servers = []
    for setting, each in servicers.items():
        server = GrpcServer(each, host="127.0.0.1", port=0)
        await server.start()
        await server.set_ready(True)
        servers.append(server)
        fakes.addresses[setting] = f"127.0.0.1:{server.port}"
    try:
        yield fakes
    finally:
        for server in servers:
            await server.stop(0)


@dataclass
class Gateway:
    """A running gateway."""

    server: HttpServer
    service: Service

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def live_url(self) -> str:
        return f"ws://127.0.0.1:{self.server.port}/api/live"

    def http(self, **options: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, timeout=10, trust_env=False, **options)

    def live(self, **options: Any) -> LiveClient:
        return LiveClient(self.live_url, **options)


@asynccontextmanager
async def gateway(fakes: Fakes, home: Path, **settings: Any) -> AsyncIterator[Gateway]:
    """Starts it as lab.service.run does; ports 0 and 0 unless told otherwise."""
    async with AsyncExitStack() as stack:
        service = Service("gateway", stack)
        stack.push_async_callback(service.tasks.stop)
        chosen: dict[str, Any] = {"ports": (0, 0), "nats_url": NO_NATS, **fakes.addresses}
        server = await build(Settings(home=home, **{**chosen, **settings}), service)
        await server.start()
        service.readiness.listening(True)
        try:
            yield Gateway(server, service)
            assert not service.tasks.failed.done(), service.tasks.failed.result()
        finally:
            await server.stop(2)


async def emit(bus: Bus, trainer: FakeTrainer, event: Event) -> int:
    """Records a fact with the fake trainer, then publishes it; its place in the stream."""
    trainer.record(event)
    connection = await bus.connection()
    acknowledged = await connection.jetstream.publish(subject_of(event), event.SerializeToString())
    return acknowledged.seq


async def make_steps(bus: Bus, fakes: Fakes, first: int, last: int, *, run: str = "runs/a") -> None:
    """Facts of steps, both ends included, as the trainer would publish them."""
    for number in range(first, last + 1):
        measured = StepMeasured(step=number, loss=1 / number)
        await emit(bus, fakes.trainer, Event(run=run, step_measured=measured))


async def raw(running: Gateway, request: str) -> bytes:
    """What the gateway answers to exactly these bytes; HTTP libraries tidy requests up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.server.port)
    writer.write(request.encode("latin-1"))
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
