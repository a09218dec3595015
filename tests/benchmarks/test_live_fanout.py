"""From a fact on NATS to parsed in fifty clients, alone and beside some that stall.

`make bench t=tests/benchmarks/test_live_fanout.py`. Gateway and clients share this one process, so
the numbers are an upper bound for a gateway of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from lab.bus import Bus
from lab.v1.event_pb2 import Event, StepMeasured
from tests.support.gateway import Fakes, Gateway, emit, fake_services, gateway
from tests.support.live_client import LiveClient
from tests.support.nats import NatsServer
from tests.support.waiting import until

CLIENTS, STALLED, EVENTS_PER_SEC, SECS = 50, 5, 20, 10
FRAMES_PER_ACK = 8  # as the dashboard does
STEPS = "runs/a/steps"


@pytest.fixture
async def fakes() -> AsyncIterator[Fakes]:
    async with fake_services() as running:
        running.trainer.add_run("a")
        yield running


@pytest.mark.bench
@pytest.mark.timeout(300)
async def test_fifty_clients_get_every_step_soon(
    fakes: Fakes, nats: NatsServer, bus: Bus, tmp_path: Path
) -> None:
    async with gateway(fakes, tmp_path, nats_url=nats.url) as running:
        await until(lambda: running.service.readiness.ready)
        alone = await measured(running, fakes, bus, stalled=0)
        beside = await measured(running, fakes, bus, stalled=STALLED)
    load = psutil.getloadavg()[0]
    print(f"\n{CLIENTS} clients x {EVENTS_PER_SEC}/s, load {load:.1f}: {alone}")
    print(f"the same beside {STALLED} that read nothing: {beside}")


async def measured(running: Gateway, fakes: Fakes, bus: Bus, *, stalled: int) -> str:
    """Every client gets every step once and in order; how soon, and at what cost."""
    delays: list[float] = []

    def heard(event: Event) -> None:
        delays.append(time.time() - event.time.seconds - event.time.nanos / 1e9)

    clients: list[LiveClient] = []
    for number in range(CLIENTS + stalled):
        if number < stalled:
            client = running.live(acknowledge=False)
        else:
            client = running.live(heard=heard, frames_per_ack=FRAMES_PER_ACK)
        await client.open()
        await client.subscribe(STEPS)
        if number < stalled:
            client.stop_reading()
        clients.append(client)
    count = EVENTS_PER_SEC * SECS
    began, cpu = time.monotonic(), time.process_time()
    for number in range(1, count + 1):
        step = StepMeasured(step=number, loss=1 / number)
        await emit(bus, fakes.trainer, Event(run="runs/a", step_measured=step))
        await asyncio.sleep(max(0.0, began + number / EVENTS_PER_SEC - time.monotonic()))
    for client in clients[stalled:]:
        log = await client.published(STEPS, count, secs=60)
        sequences = log.sequences
        assert sequences == list(range(sequences[0], sequences[0] + count))
    cpu, secs = time.process_time() - cpu, time.monotonic() - began
    for client in clients:
        await client.close()
    delays.sort()
    p50, p99 = (delays[int(len(delays) * share)] * 1_000 for share in (0.5, 0.99))
    return (
        f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, {cpu / secs:.0%} of a core, "
        f"{cpu / len(delays) * 1e6:.0f} us of processor for each delivery, clients included"
    )
