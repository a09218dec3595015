"""Fixtures every part of the test suite may use."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.bus import Bus
from tests.support.nats import NatsServer

# A shell that starts the suite in the background makes it ignore SIGINT, and with it every child:
# tests about Ctrl-C would send it to the deaf.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
