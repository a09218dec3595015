"""The connection: made in the background, made again, honest about its absence."""

from pathlib import Path

import pytest

from lab.bus import Bus
from lab.bus.streams import RUNS, STEPS, ensure_streams
from lab.errors import Unavailable
from tests.support.nats import NatsServer
from tests.support.waiting import until

pytestmark = pytest.mark.integration


async def test_entering_does_not_wait_for_a_server(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    changes: list[str] = []
    async with Bus(
        server.url,
        name="test",
        on_connected=lambda: changes.append("connected"),
        on_lost=lambda: changes.append("lost"),
    ) as bus:
        assert not bus.connected
        with pytest.raises(Unavailable, match="does not answer"):
            await bus.position(RUNS)
        async with server:
            await until(lambda: bus.connected)
            assert (await bus.position(RUNS)).last_sequence == 0
            await server.kill()
            await until(lambda: not bus.connected)
            await server.start()
            await until(lambda: bus.connected)
            assert changes == ["connected", "lost", "connected"]


async def test_making_the_streams_twice_changes_nothing(bus: Bus) -> None:
    before = await bus.position(STEPS)
    await ensure_streams((await bus.connection()).jetstream)
    assert await bus.position(STEPS) == before


async def test_a_stream_of_another_shape_is_brought_up_to_date(bus: Bus) -> None:
    jetstream = (await bus.connection()).jetstream
    config = (await jetstream.stream_info(RUNS)).config
    config.max_msgs_per_subject = 7
    await jetstream.update_stream(config)
    assert (await jetstream.stream_info(RUNS)).config.max_msgs_per_subject == 7
    await ensure_streams(jetstream)
    assert (await jetstream.stream_info(RUNS)).config.max_msgs_per_subject == 20_000


async def test_a_stream_made_anew_has_another_epoch(bus: Bus) -> None:
    before = await bus.position(RUNS)
    jetstream = (await bus.connection()).jetstream
    await jetstream.delete_stream(RUNS)
    await ensure_streams(jetstream)
    assert (await bus.position(RUNS)).epoch != before.epoch
