"""A gateway before fakes: without NATS for REST, with it for the live socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from lab.v1.run_pb2 import Run
from tests.support.gateway import Fakes, Gateway, fake_services, gateway
from tests.support.nats import NatsServer


@pytest.fixture
async def fakes() -> AsyncIterator[Fakes]:
    async with fake_services() as running:
        yield running


@pytest.fixture
async def served(fakes: Fakes, tmp_path: Path) -> AsyncIterator[Gateway]:
    """Without NATS."""
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<title>Pretraining Lab</title>")
    (dist / "assets" / "index-abc123.js").write_text("1")
    async with gateway(fakes, tmp_path, frontend_dist=dist) as running:
        yield running


@pytest.fixture
async def http(served: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with served.http() as client:
        yield client


@pytest.fixture
async def live_gateway(fakes: Fakes, nats: NatsServer, tmp_path: Path) -> AsyncIterator[Gateway]:
    """With NATS."""
    async with gateway(fakes, tmp_path, nats_url=nats.url) as running:
        yield running


@pytest.fixture
def run(fakes: Fakes) -> Run:
    return fakes.trainer.add_run("a")
