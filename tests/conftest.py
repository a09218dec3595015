"""Fixtures every part of the test suite may use."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.bus import Bus
from tests.support.nats import NatsServer


@pytest.fixture
async def nats(tmp_path: Path) -> AsyncIterator[NatsServer]:
    """A nats-server with JetStream, of this test alone."""
    async with NatsServer(tmp_path / "nats") as server:
        yield server


@pytest.fixture
async def bus(nats: NatsServer) -> AsyncIterator[Bus]:
    """A connected bus."""
    async with Bus(nats.url, name="test") as connected:
        await connected.connection()
        yield connected
