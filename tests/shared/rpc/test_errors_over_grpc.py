"""LabErrors cross a real gRPC connection and arrive as what they were."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from lab.errors import HTTP_STATUS, Code, InvalidArgument, LabError, NotFound
from lab.rpc.client import channel
from lab.rpc.health import is_ready
from lab.rpc.server import GrpcServer, Servicer
from lab.v1 import checkpoint_service_pb2 as messages
from lab.v1 import checkpoint_service_pb2_grpc as services


class RefusingServicer(services.CheckpointServiceServicer):
    """Answers each call with the error a test put into `error`."""

    error: Exception = NotFound("runs/x has no such checkpoint", metadata={"name": "runs/x"})

    async def GetCheckpoint(self, request: Any, context: Any) -> messages.GetCheckpointResponse:
        raise self.error

    async def WriteCheckpoint(self, request_iterator: Any, context: Any) -> Any:
        async for _ in request_iterator:
            raise self.error

    async def ReadCheckpoint(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield messages.ReadCheckpointResponse()
        raise self.error

    ListCheckpoints = VerifyCheckpoint = DeleteCheckpoint = GetCheckpoint  # type: ignore[assignment]
    UpdateCheckpoint = RestoreCheckpoint = GetDiskUse = GetCheckpoint  # type: ignore[assignment]
    ApplyRetention = FenceRun = FetchCheckpoint = GetCheckpoint  # type: ignore[assignment]
    ReadTensor = ReadCheckpoint


@pytest.fixture
async def server() -> AsyncIterator[tuple[GrpcServer, RefusingServicer]]:
    servicer = RefusingServicer()
    server = GrpcServer(
        [
            Servicer(
                services.add_CheckpointServiceServicer_to_server,
                servicer,
                "lab.v1.CheckpointService",
            )
        ],
        host="127.0.0.1",
        port=0,
    )
    await server.start()
    yield server, servicer
    await server.stop(0)


@pytest.fixture
async def stub(
    server: tuple[GrpcServer, RefusingServicer],
) -> AsyncIterator[services.CheckpointServiceAsyncStub]:
    async with channel(
        f"127.0.0.1:{server[0].port}", peer="checkpoint", caller="client"
    ) as open_channel:
        yield services.CheckpointServiceStub(open_channel)


async def test_a_unary_error_arrives_whole(
    server: tuple[GrpcServer, RefusingServicer], stub: services.CheckpointServiceAsyncStub
) -> None:
    server[1].error = InvalidArgument.field("name", "must be shorter than 64 characters")
    with pytest.raises(LabError) as caught:
        await stub.GetCheckpoint(messages.GetCheckpointRequest(name="x"))
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.reason == InvalidArgument.reason
    assert [violation.field for violation in caught.value.violations] == ["name"]
    assert caught.value.message == "name: must be shorter than 64 characters"
    assert caught.value.metadata["request_id"].startswith("r-")


async def test_an_error_after_the_first_message_of_a_stream_arrives(
    stub: services.CheckpointServiceAsyncStub,
) -> None:
    responses = aiter(stub.ReadCheckpoint(messages.ReadCheckpointRequest()))
    await anext(responses)
    with pytest.raises(LabError, match="no such checkpoint") as caught:
        await anext(responses)
    assert caught.value.metadata["name"] == "runs/x"


async def test_an_error_while_uploading_arrives(stub: services.CheckpointServiceAsyncStub) -> None:
    async def parts() -> AsyncIterator[messages.WriteCheckpointRequest]:
        yield messages.WriteCheckpointRequest()

    with pytest.raises(LabError, match="no such checkpoint"):
        await stub.WriteCheckpoint(parts())


async def test_an_error_in_the_middle_of_large_uploads_arrives(
    stub: services.CheckpointServiceAsyncStub,
) -> None:
    """Refused at the first part, while later parts are still being written."""
    part = messages.WriteCheckpointRequest()
    part.chunk.data = bytes(1 << 20)

    async def parts() -> AsyncIterator[messages.WriteCheckpointRequest]:
        yield messages.WriteCheckpointRequest()
        for _ in range(8):
            yield part

    async def refusal() -> str:
        with pytest.raises(LabError) as caught:
            await stub.WriteCheckpoint(parts())
        return caught.value.message

    refusals = await asyncio.gather(*(refusal() for _ in range(16)))
    assert set(refusals) == {RefusingServicer.error.args[0]}


async def test_our_own_mistake_tells_the_caller_nothing(
    server: tuple[GrpcServer, RefusingServicer], stub: services.CheckpointServiceAsyncStub
) -> None:
    server[1].error = ZeroDivisionError("secret/path")
    with pytest.raises(LabError) as caught:
        await stub.GetCheckpoint(messages.GetCheckpointRequest())
    assert caught.value.code is Code.INTERNAL
    assert "secret" not in str(caught.value)
    assert "request_id" in caught.value.metadata


async def test_undecodable_bytes_are_the_callers_mistake(
    server: tuple[GrpcServer, RefusingServicer],
) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server[0].port}") as raw:
        call: Any = raw.unary_unary("/lab.v1.CheckpointService/GetCheckpoint")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"\xff\xff\xff\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_service_that_is_not_there_is_named() -> None:
    async with channel("127.0.0.1:1", peer="checkpoint", caller="client") as nowhere:
        stub = services.CheckpointServiceStub(nowhere)
        with pytest.raises(LabError, match="checkpoint does not answer") as caught:
            await stub.DeleteCheckpoint(messages.DeleteCheckpointRequest())
    assert caught.value.code is Code.UNAVAILABLE


async def test_health_follows_readiness(server: tuple[GrpcServer, RefusingServicer]) -> None:
    address = f"127.0.0.1:{server[0].port}"
    assert not await is_ready(address)
    await server[0].set_ready(True)
    assert await is_ready(address)


async def test_a_busy_port_is_named(server: tuple[GrpcServer, RefusingServicer]) -> None:
    second = GrpcServer([], host="127.0.0.1", port=server[0].port)
    with pytest.raises(LabError, match=f"127.0.0.1:{server[0].port}"):
        await second.start()


def test_every_code_has_an_http_status() -> None:
    assert set(HTTP_STATUS) == set(Code)
    grpc_codes = {code.value[0] for code in grpc.StatusCode} - {0}
    assert {int(code) for code in Code} == grpc_codes
