"""CheckpointService: translates between the wire and the parts that do the work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from lab.v1 import checkpoint_service_pb2 as messages
from lab.v1 import checkpoint_service_pb2_grpc as services
from services.checkpoint.blobs import Blobs
from services.checkpoint.catalog import Catalog
from services.checkpoint.layout import Layout
from services.checkpoint.reading import open_files
from services.checkpoint.upload import receive
from services.checkpoint.verify import verify


class CheckpointServicer(services.CheckpointServiceServicer):
    def __init__(
        self, layout: Layout, blobs: Blobs, catalog: Catalog, *, upload_idle_secs: float
    ) -> None:
        self._layout = layout
        self._blobs = blobs
        self._catalog = catalog
        self._upload_idle_secs = upload_idle_secs

    async def WriteCheckpoint(
        self, request_iterator: Any, context: Any
    ) -> messages.WriteCheckpointResponse:
        checkpoint = await receive(
            aiter(request_iterator), self._blobs, idle_secs=self._upload_idle_secs
        )
        return messages.WriteCheckpointResponse(checkpoint=checkpoint)

    async def ReadCheckpoint(
        self, request: messages.ReadCheckpointRequest, context: Any
    ) -> AsyncIterator[messages.ReadCheckpointResponse]:
        reading = await asyncio.to_thread(
            open_files, self._layout, self._catalog, name=request.name, files=request.files
        )
        try:
            yield messages.ReadCheckpointResponse(header=reading.checkpoint)
            while (chunk := await asyncio.to_thread(reading.next_chunk)) is not None:
                yield messages.ReadCheckpointResponse(chunk=chunk)
        finally:
            reading.close()

    async def GetCheckpoint(
        self, request: messages.GetCheckpointRequest, context: Any
    ) -> messages.GetCheckpointResponse:
        checkpoint = await asyncio.to_thread(self._catalog.get, request.name)
        return messages.GetCheckpointResponse(checkpoint=checkpoint)

    async def ListCheckpoints(
        self, request: messages.ListCheckpointsRequest, context: Any
    ) -> messages.ListCheckpointsResponse:
        page, token = await asyncio.to_thread(
            self._catalog.page, request.run, size=request.page_size, token=request.page_token
        )
        return messages.ListCheckpointsResponse(checkpoints=page, next_page_token=token)

    async def VerifyCheckpoint(
        self, request: messages.VerifyCheckpointRequest, context: Any
    ) -> messages.VerifyCheckpointResponse:
        damage = await asyncio.to_thread(verify, self._layout, self._catalog, request.name)
        return messages.VerifyCheckpointResponse(whole=not damage, damage=damage)

    async def DeleteCheckpoint(
        self, request: messages.DeleteCheckpointRequest, context: Any
    ) -> messages.DeleteCheckpointResponse:
        await asyncio.to_thread(self._blobs.delete, request.name)
        return messages.DeleteCheckpointResponse()
