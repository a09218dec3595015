"""A trainer with fake workers and a checkpoint service in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.v1 import trainer_service_pb2_grpc as services
from tests.support.fake_checkpoint_service import FakeCheckpointService
from tests.support.fake_worker import FakeWorkers
from tests.support.trainer_service import trainer_service


@pytest.fixture
async def checkpoints() -> AsyncIterator[FakeCheckpointService]:
    async with FakeCheckpointService() as service:
        yield service


@pytest.fixture
def workers() -> FakeWorkers:
    return FakeWorkers()


@pytest.fixture
async def trainer(
    tmp_path: Path, checkpoints: FakeCheckpointService, workers: FakeWorkers
) -> AsyncIterator[services.TrainerServiceAsyncStub]:
    async with trainer_service(
        tmp_path, checkpoint_address=checkpoints.address, workers=workers
    ) as stub:
        yield stub
