"""A checkpoint service in memory: scriptable, and it can go away and come back on its port."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any

from lab import manifest
from lab.errors import AlreadyExists, Code, LabError, NotFound, PreconditionFailed
from lab.rpc.interceptors import Context
from lab.rpc.server import GrpcServer, Servicer
from lab.v1 import checkpoint_service_pb2 as messages
from lab.v1 import checkpoint_service_pb2_grpc as services
from lab.v1.checkpoint_pb2 import CHECKPOINT_KIND_PEEK, Checkpoint
from tests.support.nats import free_port
from tests.support.scripted import Scripted


class FakeCheckpointService(Scripted, services.CheckpointServiceServicer):
    """`async with` serves; `away` and `back` in between. Keeps what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.kept: dict[str, tuple[Checkpoint, dict[str, bytes]]] = {}
        self.fences: dict[str, int] = {}  # run -> the highest claim seen
        self.refusals = 0
        self._server: GrpcServer | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def back(self) -> None:
        add = services.add_CheckpointServiceServicer_to_server
        self._server = GrpcServer(
            [Servicer(add, self, "lab.v1.CheckpointService")], host="127.0.0.1", port=self.port
        )
        await self._server.start()
        await self._server.set_ready(True)

    async def away(self) -> None:
        assert self._server is not None, "it was away already"
        await self._server.stop(0)
        self._server = None

    async def __aenter__(self) -> FakeCheckpointService:
        await self.back()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            await self.away()

    def spoil(self, name: str, file: str) -> None:
        """Flips a bit of a kept file."""
        checkpoint, files = self.kept[name]
        data = bytearray(files[file])
        data[len(data) // 2] ^= 1
        self.kept[name] = checkpoint, {**files, file: bytes(data)}

    async def WriteCheckpoint(
        self, request_iterator: AsyncIterator[messages.WriteCheckpointRequest], context: Context
    ) -> messages.WriteCheckpointResponse:
        header = (await anext(aiter(request_iterator))).header
        await self.entering("WriteCheckpoint", header)
        self._fence(header.name.split("/checkpoints/")[0].removesuffix("/peek"), header)
        files: dict[str, bytearray] = {file.name: bytearray() for file in header.files}
        whole = False
        async for part in request_iterator:
            if part.HasField("end"):
                whole = True
                break
            assert part.chunk.offset == len(files[part.chunk.file])
            assert len(part.chunk.data) <= 1 << 20
            files[part.chunk.file] += part.chunk.data
        assert whole, "the stream broke off"
        for described in header.files:
            data = files[described.name]
            assert described.size_bytes == len(data)
            assert described.sha256 == hashlib.sha256(data).hexdigest()
        checkpoint = Checkpoint()
        checkpoint.CopyFrom(header)
        checkpoint.digest = manifest.digest(header.files)
        checkpoint.size_bytes = sum(file.size_bytes for file in header.files)
        checkpoint.create_time.GetCurrentTime()
        there = self.kept.get(header.name)
        peek = header.kind == CHECKPOINT_KIND_PEEK
        if there and there[0].digest != checkpoint.digest and not peek:
            raise AlreadyExists(f"{header.name} holds something else")
        self.kept[header.name] = checkpoint, {name: bytes(data) for name, data in files.items()}
        return messages.WriteCheckpointResponse(checkpoint=checkpoint)

    async def FenceRun(
        self, request: messages.FenceRunRequest, context: Context
    ) -> messages.FenceRunResponse:
        await self.entering("FenceRun", request)
        self._fence(request.run, request)
        return messages.FenceRunResponse()

    def _fence(self, run: str, claim: Checkpoint | messages.FenceRunRequest) -> None:
        if claim.fencing_token < self.fences.get(run, 0):
            raise PreconditionFailed(f"{run} was claimed by another owner since")
        self.fences[run] = claim.fencing_token

    async def ReadCheckpoint(
        self, request: messages.ReadCheckpointRequest, context: Context
    ) -> AsyncIterator[messages.ReadCheckpointResponse]:
        await self.entering("ReadCheckpoint", request)
        checkpoint, files = self._kept(request.name)
        yield messages.ReadCheckpointResponse(header=checkpoint)
        for name, data in files.items():
            for offset in range(0, len(data), 1 << 20):
                chunk = messages.FileChunk(
                    file=name, offset=offset, data=data[offset : offset + (1 << 20)]
                )
                yield messages.ReadCheckpointResponse(chunk=chunk)

    async def GetCheckpoint(
        self, request: messages.GetCheckpointRequest, context: Context
    ) -> messages.GetCheckpointResponse:
        await self.entering("GetCheckpoint", request)
        return messages.GetCheckpointResponse(checkpoint=self._kept(request.name)[0])

    async def ListCheckpoints(
        self, request: messages.ListCheckpointsRequest, context: Context
    ) -> messages.ListCheckpointsResponse:
        await self.entering("ListCheckpoints", request)
        found = [
            checkpoint
            for name, (checkpoint, _) in self.kept.items()
            if name.startswith(f"{request.run}/checkpoints/")
        ]
        return messages.ListCheckpointsResponse(checkpoints=found)

    async def DeleteCheckpoint(
        self, request: messages.DeleteCheckpointRequest, context: Context
    ) -> messages.DeleteCheckpointResponse:
        await self.entering("DeleteCheckpoint", request)
        self._kept(request.name)
        del self.kept[request.name]
        return messages.DeleteCheckpointResponse()

    async def VerifyCheckpoint(
        self, request: messages.VerifyCheckpointRequest, context: Context
    ) -> messages.VerifyCheckpointResponse:
        await self.entering("VerifyCheckpoint", request)
        checkpoint, files = self._kept(request.name)
        damage = [
            file.name
            for file in checkpoint.files
            if hashlib.sha256(files[file.name]).hexdigest() != file.sha256
        ]
        return messages.VerifyCheckpointResponse(whole=not damage, damage=damage)

    async def _not_played(self, request: Any, context: Context) -> Any:
        """What the trainer never asks for."""
        raise LabError("this fake does not play that", code=Code.UNIMPLEMENTED)

    UpdateCheckpoint = RestoreCheckpoint = ApplyRetention = GetDiskUse = _not_played
    FetchCheckpoint = _not_played
    ReadTensor = _not_played  # type: ignore[assignment]  # it would be a stream

    def _kept(self, name: str) -> Any:
        if name not in self.kept:
            raise NotFound(f"there is no checkpoint {name}")
        return self.kept[name]
