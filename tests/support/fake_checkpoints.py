"""A checkpoint service that knows names only."""

from __future__ import annotations

from typing import Any, TypeAlias

import grpc

from lab.errors import NotFound
from lab.rpc.server import Servicer
from lab.v1 import checkpoint_service_pb2 as c
from lab.v1 import checkpoint_service_pb2_grpc
from lab.v1.checkpoint_pb2 import Checkpoint
from tests.support.scripted import Scripted

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class FakeCheckpoints(Scripted, checkpoint_service_pb2_grpc.CheckpointServiceServicer):
    def __init__(self) -> None:
        super().__init__()
        self.checkpoints: dict[str, Checkpoint] = {}

    def servicer(self) -> Servicer:
        add = checkpoint_service_pb2_grpc.add_CheckpointServiceServicer_to_server
        return Servicer(add, self, "lab.v1.CheckpointService")

    def add(self, run_id: str, step: int) -> Checkpoint:
        name = f"runs/{run_id}/checkpoints/step-{step:08d}"
        self.checkpoints[name] = Checkpoint(name=name, step=step)
        return self.checkpoints[name]

    def _checkpoint(self, name: str) -> Checkpoint:
        if name not in self.checkpoints:
            raise NotFound(f"there is no checkpoint {name}")
        return self.checkpoints[name]

    async def GetCheckpoint(
        self, request: c.GetCheckpointRequest, context: Context
    ) -> c.GetCheckpointResponse:
        await self.entering("GetCheckpoint", request)
        return c.GetCheckpointResponse(checkpoint=self._checkpoint(request.name))

    async def ListCheckpoints(
        self, request: c.ListCheckpointsRequest, context: Context
    ) -> c.ListCheckpointsResponse:
        await self.entering("ListCheckpoints", request)
        found = [each for name, each in self.checkpoints.items() if name.startswith(request.run)]
        return c.ListCheckpointsResponse(checkpoints=found)

    async def VerifyCheckpoint(
        self, request: c.VerifyCheckpointRequest, context: Context
    ) -> c.VerifyCheckpointResponse:
        await self.entering("VerifyCheckpoint", request)
        self._checkpoint(request.name)
        return c.VerifyCheckpointResponse(whole=True)

    async def DeleteCheckpoint(
        self, request: c.DeleteCheckpointRequest, context: Context
    ) -> c.DeleteCheckpointResponse:
        await self.entering("DeleteCheckpoint", request)
        del self.checkpoints[self._checkpoint(request.name).name]
        return c.DeleteCheckpointResponse()

    async def UpdateCheckpoint(
        self, request: c.UpdateCheckpointRequest, context: Context
    ) -> c.UpdateCheckpointResponse:
        await self.entering("UpdateCheckpoint", request)
        return c.UpdateCheckpointResponse(checkpoint=self._checkpoint(request.name))

    async def RestoreCheckpoint(
        self, request: c.RestoreCheckpointRequest, context: Context
    ) -> c.RestoreCheckpointResponse:
        await self.entering("RestoreCheckpoint", request)
        return c.RestoreCheckpointResponse(checkpoint=self._checkpoint(request.name))

    async def FenceRun(self, request: c.FenceRunRequest, context: Context) -> c.FenceRunResponse:
        await self.entering("FenceRun", request)
        return c.FenceRunResponse()

    async def FetchCheckpoint(
        self, request: c.FetchCheckpointRequest, context: Context
    ) -> c.FetchCheckpointResponse:
        await self.entering("FetchCheckpoint", request)
        return c.FetchCheckpointResponse(checkpoint=self._checkpoint(request.name))

    async def ApplyRetention(
        self, request: c.ApplyRetentionRequest, context: Context
    ) -> c.ApplyRetentionResponse:
        await self.entering("ApplyRetention", request)
        return c.ApplyRetentionResponse()

    async def GetDiskUse(
        self, request: c.GetDiskUseRequest, context: Context
    ) -> c.GetDiskUseResponse:
        await self.entering("GetDiskUse", request)
        return c.GetDiskUseResponse(size_bytes=7)
