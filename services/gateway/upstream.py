"""The services behind the gateway, as typed stubs, and the one way to call them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import grpc
import structlog

from lab.names import new_id
from lab.rpc.client import channel
from lab.rpc.errors import REQUEST_ID
from lab.v1.analysis_service_pb2_grpc import AnalysisServiceAsyncStub, AnalysisServiceStub
from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceAsyncStub, CheckpointServiceStub
from lab.v1.inference_service_pb2_grpc import InferenceServiceAsyncStub, InferenceServiceStub
from lab.v1.trainer_service_pb2_grpc import TrainerServiceAsyncStub, TrainerServiceStub

Q = TypeVar("Q")
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
        to_trainer = channel(trainer, peer="trainer")
        to_checkpoint = channel(checkpoint, peer="checkpoint")
        to_inference = channel(inference, peer="inference")
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
    method: grpc.aio.UnaryUnaryMultiCallable[Q, A], request: Q, *, timeout_secs: float | None = None
) -> A:
    """Calls a unary method; without a timeout the client's default deadline holds."""
    return await method(request, timeout=timeout_secs, metadata=request_metadata())
