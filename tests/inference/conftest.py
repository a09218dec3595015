"""A checkpoint service and an inference service, real ones, with a small real model between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.model import GPTModel
from lab.rpc.client import channel
from lab.text import Assets
from lab.v1 import analysis_service_pb2_grpc, inference_service_pb2_grpc
from lab.v1.inference_service_pb2 import LoadModelRequest
from lab.v1.model_pb2 import LoadedModel
from tests.support.checkpoint_service import (
    NAME,
    checkpoint_service,
    checkpoint_stub,
    parts,
    write,
)
from tests.support.inference_service import (
    add_vocabulary,
    inference_service,
    model_files,
    tiny_model,
)

if TYPE_CHECKING:
    from lab.v1.analysis_service_pb2_grpc import AnalysisServiceAsyncStub
    from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceAsyncStub
    from lab.v1.inference_service_pb2_grpc import InferenceServiceAsyncStub

LIMITS = {"max_models": 2, "max_generations": 1, "max_waiting": 4}


@dataclass
class SmallLab:
    home: Path
    address: str
    checkpoint_address: str
    checkpoints: CheckpointServiceAsyncStub
    inference: InferenceServiceAsyncStub
    analysis: AnalysisServiceAsyncStub

    async def save(self, model: GPTModel, name: str = NAME) -> dict[str, bytes]:
        """Writes the model as a checkpoint; answers its files."""
        files = model_files(model, self.home / "written" / name)
        await write(self.checkpoints, parts(files, name=name))
        return files

    async def load(self, source: str = NAME) -> LoadedModel:
        return (await self.inference.LoadModel(LoadModelRequest(source=source))).model


@pytest.fixture(scope="session")
def vocabulary() -> Path:
    return Assets.at_home().fetch("gpt2-encoder")


@pytest.fixture
def model() -> GPTModel:
    return tiny_model()


@pytest.fixture
async def lab(tmp_path: Path, vocabulary: Path) -> AsyncIterator[SmallLab]:
    add_vocabulary(tmp_path, vocabulary)
    async with (
        checkpoint_service(tmp_path) as checkpoint_address,
        inference_service(
            tmp_path, checkpoint_address, max_models=2, max_generations=1, max_waiting=4
        ) as address,
        checkpoint_stub(checkpoint_address) as checkpoints,
        channel(address, peer="inference", caller="client") as open_channel,
    ):
        yield SmallLab(
            home=tmp_path,
            address=address,
            checkpoint_address=checkpoint_address,
            checkpoints=checkpoints,
            inference=inference_service_pb2_grpc.InferenceServiceStub(open_channel),
            analysis=analysis_service_pb2_grpc.AnalysisServiceStub(open_channel),
        )


@pytest.fixture
async def loaded(lab: SmallLab, model: GPTModel) -> LoadedModel:
    await lab.save(model)
    return await lab.load()
