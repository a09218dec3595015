"""The services behind the gateway, as typed stubs, and the one way to call them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import grpc
import structlog
from google.protobuf.message import Message

from lab.names import new_id
from lab.rpc.client import channel
from lab.rpc.errors import REQUEST_ID
from lab.v1.analysis_service_pb2_grpc import AnalysisServiceStub
from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceStub
from lab.v1.inference_service_pb2_grpc import InferenceServiceStub
from lab.v1.trainer_service_pb2_grpc import TrainerServiceStub

if TYPE_CHECKING:  # these classes exist in the type stubs only
    from lab.v1.analysis_service_pb2_grpc import AnalysisServiceAsyncStub
    from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceAsyncStub
    from lab.v1.inference_service_pb2_grpc import InferenceServiceAsyncStub
    from lab.v1.trainer_service_pb2_grpc import TrainerServiceAsyncStub

A = TypeVar("A")


@dataclass(frozen=True)
class Upstream:
    """One stub per service; inference and analysis share a process and a channel."""

    trainer: TrainerServiceAsyncStub
    checkpoint: CheckpointServiceAsyncStub
    inference: InferenceServiceAsyncStub
    analysis: AnalysisServiceAsyncStub
    channels: tuple[grpc.aio.Channel, ...]

    @classmethod
    def connect(cls, *, trainer: str, checkpoint: str, inference: str) -> Upstream:
        """Stubs over lazy channels to these addresses."""
        to_trainer = channel(trainer, peer="trainer", caller="gateway")
        to_checkpoint = channel(checkpoint, peer="checkpoint", caller="gateway")
        to_inference = channel(inference, peer="inference", caller="gateway")
        return cls(
            trainer=TrainerServiceStub(to_trainer),
            checkpoint=CheckpointServiceStub(to_checkpoint),
            inference=InferenceServiceStub(to_inference),
            analysis=AnalysisServiceStub(to_inference),
            channels=(to_trainer, to_checkpoint, to_inference),
        )

    async def close(self) -> None:
        for each in self.channels:
            await each.close()


def request_metadata() -> tuple[tuple[str, str], ...]:
    """Carries the id of the HTTP request on, so that one id finds it in every service's log."""
    return ((REQUEST_ID, request_id()),)


def request_id() -> str:
    """The id of the HTTP request being answered, or a new one outside of any."""
    return str(structlog.contextvars.get_contextvars().get("request_id") or new_id("r"))


async def ask(
    method: Callable[..., Awaitable[A]], request: Message, *, timeout_secs: float | None = None
) -> A:
    """Calls a unary method; without a timeout the client's default deadline holds."""
    return await method(request, timeout=timeout_secs, metadata=request_metadata())
