"""From a fact on NATS to parsed in fifty clients: gateway and clients share this one process, so
the numbers are an upper bound for a gateway of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.bus import Bus
from lab.v1.event_pb2 import Event, StepMeasured
from tests.support.gateway import Fakes, emit, fake_services, gateway
from tests.support.live_client import LiveClient
from tests.support.nats import NatsServer
from tests.support.waiting import until

CLIENTS, EVENTS_PER_SEC, SECS = 50, 20, 5
STEPS = "runs/a/steps"


@pytest.fixture
async def fakes() -> AsyncIterator[Fakes]:
    async with fake_services() as running:
        running.trainer.add_run("a")
        yield running


@pytest.mark.bench
async def test_fifty_clients_get_every_step_soon(
    fakes: Fakes, nats: NatsServer, bus: Bus, tmp_path: Path
) -> None:
    clients: list[LiveClient] = []
    delays: list[float] = []
    count = EVENTS_PER_SEC * SECS
    async with gateway(fakes, tmp_path, nats_url=nats.url) as running:
        await until(lambda: running.service.readiness.ready)
        for _ in range(CLIENTS):
            client = running.live(heard=lambda event: delays.append(time.time() - _sent(event)))
            await client.open()
            await client.subscribe(STEPS)
            clients.append(client)
        began, cpu = time.monotonic(), time.process_time()
        for number in range(1, count + 1):
            step = StepMeasured(step=number, loss=1 / number)
            await emit(bus, fakes.trainer, Event(run="runs/a", step_measured=step))
            await asyncio.sleep(max(0.0, began + number / EVENTS_PER_SEC - time.monotonic()))
        for client in clients:
            log = await client.published(STEPS, count)
            assert log.sequences == list(range(1, count + 1))
        cpu = time.process_time() - cpu
        for client in clients:
            await client.close()
    delays.sort()
    p50, p99 = (delays[int(len(delays) * share)] * 1_000 for share in (0.5, 0.99))
    print(
        f"\n{CLIENTS} clients x {EVENTS_PER_SEC}/s: p50 {p50:.1f} ms, p99 {p99:.1f} ms, "
        f"{cpu / SECS:.0%} of a core for gateway and clients"
    )
    assert p99 < 1_000


def _sent(event: Event) -> float:
    return event.time.seconds + event.time.nanos / 1e9
