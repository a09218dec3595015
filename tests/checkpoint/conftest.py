"""A checkpoint service of its own for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.v1 import checkpoint_service_pb2_grpc as services
from tests.support.checkpoint_service import checkpoint_service, checkpoint_stub


@pytest.fixture
async def stub(tmp_path: Path) -> AsyncIterator[services.CheckpointServiceAsyncStub]:
    async with checkpoint_service(tmp_path) as address, checkpoint_stub(address) as open_stub:
        yield open_stub
