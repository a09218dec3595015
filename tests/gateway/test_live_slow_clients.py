"""Clients that read too slowly: bounded, told, and no burden to the others."""

from __future__ import annotations

import pytest

from lab.bus import Bus
from lab.v1.event_pb2 import (
    Event,
    LogWritten,
    TextSampled,
)
from lab.v1.live_pb2 import Ack, ClientFrame, CloseCode
from lab.v1.run_pb2 import Run
from tests.support.gateway import Fakes, Gateway, emit
from tests.support.live_client import LiveClient
from tests.support.waiting import until

pytestmark = pytest.mark.integration

RUN = "runs/a"


async def test_a_stalled_client_is_bounded_and_the_others_get_everything(
    live_gateway: Gateway, fakes: Fakes, bus: Bus, run: Run
) -> None:
    text = "x" * 20_000
    async with live_gateway.live() as healthy, live_gateway.live(acknowledge=False) as stalled:
        for client in (healthy, stalled):
            await client.subscribe("runs/a/logs")
        count = 300  # 6 MB: the window and the lane are 1 MiB each
        for _ in range(count):
            await emit(bus, fakes.trainer, Event(run=RUN, log_written=LogWritten(text=text)))
        log = await healthy.published("runs/a/logs", count, secs=30)
        assert log.sequences == list(range(1, count + 1))
        behind = stalled.channels["runs/a/logs"]
        received = sum(frame.ByteSize() for frame in stalled.frames)
        assert 1 << 20 < received < 2 << 20
        # It wakes up, and is told the truth.
        stalled.acknowledge = True
        await stalled.send(_ack(stalled))
        await until(lambda: len(behind.snapshots) == 2, what="a fresh snapshot")
        assert behind.dropped > 0
        held = [each.sequence for each in behind.snapshots[-1].events.events]
        assert held == list(range(1, count + 1))


async def test_a_client_too_slow_for_what_may_not_be_dropped_is_sent_away_and_recovers(
    live_gateway: Gateway, fakes: Fakes, bus: Bus, run: Run
) -> None:
    text = "x" * 20_000
    async with live_gateway.live() as healthy:
        await healthy.subscribe("runs/a/samples")
        stalled = live_gateway.live(acknowledge=False)
        await stalled.open()
        await stalled.subscribe("runs/a/samples")
        for number in range(1, 151):
            sample = TextSampled(step=number, text=text)
            await emit(bus, fakes.trainer, Event(run=RUN, text_sampled=sample))
        assert await stalled.closed() == CloseCode.CLOSE_CODE_SLOW
        position = stalled.channels["runs/a/samples"].position
        told = stalled.channels["runs/a/samples"].sequences
        await stalled.close()
        log = await healthy.published("runs/a/samples", 150, secs=30)
        assert log.sequences == list(range(1, 151))
    async with live_gateway.live() as again:
        await again.subscribe("runs/a/samples", since=position)
        log = again.channels["runs/a/samples"]

        def everything() -> bool:
            if log.snapshots:  # more than a lane holds: the state is cheaper
                return len(log.snapshots[-1].events.events) == 150
            return told + log.sequences == list(range(1, 151))

        await until(everything)


def _ack(client: LiveClient) -> ClientFrame:
    return ClientFrame(ack=Ack(frame=max(frame.frame for frame in client.frames)))
