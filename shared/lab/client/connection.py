"""One connection to a cluster: lazy channels to its services and what can be asked of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from lab.client import addresses as places
from lab.client.addresses import Addresses
from lab.client.checkpoints import Checkpoints
from lab.client.models import Models
from lab.client.recordings import Recordings
from lab.client.runs import Runs
from lab.rpc.client import channel
from lab.v1.analysis_service_pb2_grpc import AnalysisServiceStub
from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceStub
from lab.v1.inference_service_pb2_grpc import InferenceServiceStub
from lab.v1.trainer_service_pb2_grpc import TrainerServiceStub

if TYPE_CHECKING:  # grpc generates these for type checkers only
    from lab.v1.analysis_service_pb2_grpc import AnalysisServiceAsyncStub
    from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceAsyncStub
    from lab.v1.inference_service_pb2_grpc import InferenceServiceAsyncStub
    from lab.v1.trainer_service_pb2_grpc import TrainerServiceAsyncStub


class Lab:
    """What people ask for, by subject; the stubs for everything else."""

    def __init__(
        self,
        *,
        addresses: Addresses,
        trainer: TrainerServiceAsyncStub,
        checkpoint: CheckpointServiceAsyncStub,
        inference: InferenceServiceAsyncStub,
        analysis: AnalysisServiceAsyncStub,
    ) -> None:
        self.addresses = addresses
        self.trainer = trainer
        self.checkpoint = checkpoint
        self.inference = inference
        self.analysis = analysis
        self.runs = Runs(trainer)
        self.recordings = Recordings(trainer)
        self.checkpoints = Checkpoints(checkpoint)
        self.models = Models(inference, analysis, self.runs, self.checkpoints)


@asynccontextmanager
async def connect(addresses: Addresses | None = None) -> AsyncIterator[Lab]:
    """A Lab at `addresses`, or at the cluster LAB_CLUSTER names. Connects at the first call."""
    addresses = addresses or places.load()
    async with AsyncExitStack() as stack:
        trainer = await stack.enter_async_context(
            channel(addresses.trainer, peer="trainer", caller="client")
        )
        checkpoint = await stack.enter_async_context(
            channel(addresses.checkpoint, peer="checkpoint", caller="client")
        )
        inference = await stack.enter_async_context(
            channel(addresses.inference, peer="inference", caller="client")
        )
        yield Lab(
            addresses=addresses,
            trainer=TrainerServiceStub(trainer),
            checkpoint=CheckpointServiceStub(checkpoint),
            inference=InferenceServiceStub(inference),
            analysis=AnalysisServiceStub(inference),
        )
