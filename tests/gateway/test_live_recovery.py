"""Clients come back, NATS and gateway restart: everything once and in order, or a snapshot."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lab.bus import Bus
from lab.v1.event_pb2 import (
    Event,
)
from lab.v1.live_pb2 import CloseCode, StreamPosition
from lab.v1.run_pb2 import Run
from services.gateway.live import feeds
from tests.support.gateway import Fakes, Gateway, gateway, make_steps
from tests.support.live_client import steps_held
from tests.support.nats import NatsServer
from tests.support.waiting import until

pytestmark = pytest.mark.integration

STEPS = "runs/a/steps"


async def test_a_client_that_comes_back_gets_exactly_what_it_missed(
    live_gateway: Gateway, fakes: Fakes, bus: Bus, run: Run
) -> None:
    await make_steps(bus, fakes, 1, 2)
    async with live_gateway.live() as client:
        await client.subscribe(STEPS)
        await make_steps(bus, fakes, 3, 4)
        position = (await client.published(STEPS, 2)).position
    await make_steps(bus, fakes, 5, 9)
    asked = len(fakes.trainer.called("QuerySeries"))
    async with live_gateway.live() as client:
        assert (await client.subscribe(STEPS, since=position)).recovered
        log = await client.published(STEPS, 5)
        assert log.sequences == [5, 6, 7, 8, 9]
        assert log.snapshots == []
        await make_steps(bus, fakes, 10, 10)
        assert (await client.published(STEPS, 6)).sequences[-1] == 10
    assert len(fakes.trainer.called("QuerySeries")) == asked


async def test_a_late_and_an_early_reader_share_one_tail(
    live_gateway: Gateway, fakes: Fakes, bus: Bus, run: Run
) -> None:
    await make_steps(bus, fakes, 1, 5)
    async with live_gateway.live() as early, live_gateway.live() as late:
        await early.subscribe(STEPS)
        await make_steps(bus, fakes, 6, 7)
        position = (await early.published(STEPS, 2)).position
        since = StreamPosition(epoch=position.epoch, offset=2)
        assert (await late.subscribe(STEPS, since=since)).recovered
        await late.published(STEPS, 5)
        await make_steps(bus, fakes, 8, 8)
        assert (await late.published(STEPS, 6)).sequences == [3, 4, 5, 6, 7, 8]
        assert (await early.published(STEPS, 3)).sequences == [6, 7, 8]
        tails = [task for task in asyncio.all_tasks() if task.get_name() == f"tail of {STEPS}"]
        assert len(tails) == 1


@pytest.mark.parametrize("why", ["other epoch", "ahead of the head", "too much missed"])
async def test_what_cannot_be_recovered_whole_is_a_snapshot(
    live_gateway: Gateway, fakes: Fakes, bus: Bus, run: Run, why: str
) -> None:
    await make_steps(bus, fakes, 1, 3)
    position = await bus.position("STEPS")
    since = {
        "other epoch": StreamPosition(epoch="1", offset=2),
        "ahead of the head": StreamPosition(epoch=position.epoch, offset=4),
        "too much missed": StreamPosition(epoch=position.epoch, offset=0),
    }[why]
    if why == "too much missed":
        connection = await bus.connection()
        for number in range(4, feeds.MAX_RECOVERED + 2):
            await connection.jetstream.publish_async(
                "lab.v1.step.b", Event(run="runs/b", sequence=number).SerializeToString()
            )
        await connection.jetstream.publish_async_completed()
        assert (await bus.position("STEPS")).last_sequence > feeds.MAX_RECOVERED
    async with live_gateway.live() as client:
        assert not (await client.subscribe(STEPS, since=since)).recovered
        log = client.channels[STEPS]
        await until(lambda: log.snapshots)
        assert steps_held(log) == [1, 2, 3]


async def test_nats_killed_and_restarted_loses_and_doubles_nothing(
    live_gateway: Gateway, fakes: Fakes, nats: NatsServer, bus: Bus, run: Run
) -> None:
    async with live_gateway.live() as client:
        await client.subscribe("system")
        await client.subscribe(STEPS)
        await make_steps(bus, fakes, 1, 20)
        await client.published(STEPS, 20)
        await nats.kill()
        await until(lambda: not live_gateway.service.readiness.ready)

        def gateway_waits() -> bool:
            beats = [each.event.service_beat for each in client.channels["system"].publications]
            return any(
                beat.service == "gateway" and any("nats" in each for each in beat.waiting_for)
                for beat in beats
            )

        await until(gateway_waits, what="system says that NATS is away")
        async with live_gateway.http() as http:
            assert (await http.get("/api/runs")).status_code == 200
        await nats.start()
        await bus.connection()
        await until(lambda: bus.connected)
        await make_steps(bus, fakes, 21, 40)
        log = await client.published(STEPS, 40)
        assert log.sequences == list(range(1, 41))
        assert len(log.snapshots) == 1, "the tail resumed, nothing had to be told again"


async def test_a_page_opened_while_nats_is_away_shows_the_state_and_catches_up(
    live_gateway: Gateway, fakes: Fakes, nats: NatsServer, bus: Bus, run: Run
) -> None:
    await make_steps(bus, fakes, 1, 3)
    await nats.kill()
    await until(lambda: not live_gateway.service.readiness.ready)
    async with live_gateway.live() as client:
        assert not (await client.subscribe(STEPS)).position.epoch
        log = client.channels[STEPS]
        await until(lambda: log.snapshots)
        assert steps_held(log) == [1, 2, 3]
        await nats.start()
        await until(lambda: len(log.snapshots) == 2, what="a snapshot with a position")
        await until(lambda: bus.connected)
        await make_steps(bus, fakes, 4, 5)
        await client.published(STEPS, 2)
        assert steps_held(log) == [1, 2, 3, 4, 5]


async def test_a_stream_that_begins_anew_gives_everybody_a_snapshot(
    live_gateway: Gateway, fakes: Fakes, bus: Bus, run: Run
) -> None:
    await make_steps(bus, fakes, 1, 3)
    async with live_gateway.live() as client:
        first = await client.subscribe(STEPS)
        connection = await bus.connection()
        config = (await connection.jetstream.stream_info("STEPS")).config
        await connection.jetstream.delete_stream("STEPS")
        await connection.jetstream.add_stream(config)
        log = client.channels[STEPS]
        await until(lambda: len(log.snapshots) == 2, secs=20)
        assert log.snapshots[1].position.epoch != first.position.epoch
        await make_steps(bus, fakes, 4, 4)
        await client.published(STEPS, 1)
        assert steps_held(log) == [1, 2, 3, 4]


async def test_a_restarted_gateway_serves_the_same_client_by_its_position(
    fakes: Fakes, nats: NatsServer, bus: Bus, run: Run, tmp_path: Path
) -> None:
    async with gateway(fakes, tmp_path, nats_url=nats.url) as before:
        await until(lambda: before.service.readiness.ready)
        client = before.live()
        await client.open()
        await client.subscribe(STEPS)
        await make_steps(bus, fakes, 1, 3)
        position = (await client.published(STEPS, 3)).position
    assert await client.closed() == CloseCode.CLOSE_CODE_SHUTDOWN
    await client.close()
    await make_steps(bus, fakes, 4, 6)
    async with gateway(fakes, tmp_path, nats_url=nats.url) as after, after.live() as again:
        assert (await again.subscribe(STEPS, since=position)).recovered
        assert (await again.published(STEPS, 3)).sequences == [4, 5, 6]
