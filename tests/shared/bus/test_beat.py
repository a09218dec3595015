"""A service tells that it is alive, and waits for NATS without dying of it."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from lab.bus import Bus
from lab.service.beat import join_bus
from lab.service.run import Service
from lab.v1 import event_pb2
from lab.v1.event_pb2 import Event
from tests.support.nats import NatsServer
from tests.support.waiting import until

pytestmark = pytest.mark.integration


async def test_a_beat_says_who_waits_for_what_and_who_is_ready(nats: NatsServer, bus: Bus) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def hear(message: object) -> None:
        heard.put_nowait(message.data)  # type: ignore[attr-defined]

    await (await bus.connection()).client.subscribe("lab.v1.beat.*", cb=hear)
    async with AsyncExitStack() as stack:
        service = Service("toy", stack)
        stack.push_async_callback(service.tasks.stop)
        service.readiness.needs("friend", "10.0.0.1:1")
        service.readiness.listening(True)
        await join_bus(service, nats.url)
        first = Event.FromString(await asyncio.wait_for(heard.get(), 10)).service_beat
        assert first.service == "toy"
        assert first.state == event_pb2.SERVICE_STATE_WAITING
        assert list(first.waiting_for) == ["friend at 10.0.0.1:1"]
        assert first.memory_bytes > 10_000_000
        service.readiness.met("friend")
        second = Event.FromString(await asyncio.wait_for(heard.get(), 10)).service_beat
        assert second.state == event_pb2.SERVICE_STATE_READY
        assert second.uptime_secs > first.uptime_secs


async def test_readiness_follows_the_connection(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    async with AsyncExitStack() as stack:
        service = Service("toy", stack)
        stack.push_async_callback(service.tasks.stop)
        service.readiness.listening(True)
        await join_bus(service, server.url)
        assert service.readiness.waiting_for == [f"nats at {server.url}"]
        async with server:
            await until(lambda: service.readiness.ready)
            await server.kill()
            await until(lambda: not service.readiness.ready)
        assert not service.tasks.failed.done()
