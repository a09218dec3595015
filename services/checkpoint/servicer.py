"""CheckpointService: translates between the wire and the parts that do the work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol, TypeVar

from lab.errors import NotFound, PreconditionFailed
from lab.names import checkpoint_ids, run_name
from lab.rpc.paging import page_size
from lab.v1 import checkpoint_service_pb2 as messages
from lab.v1 import checkpoint_service_pb2_grpc as services
from lab.v1.checkpoint_pb2 import Checkpoint
from services.checkpoint.bucket.bucket import Bucket
from services.checkpoint.bucket.copies import Copies
from services.checkpoint.intake.blobs import Blobs
from services.checkpoint.intake.fences import Fences
from services.checkpoint.intake.upload import receive
from services.checkpoint.news import News
from services.checkpoint.out.reading import open_files
from services.checkpoint.out.tensors import open_tensor
from services.checkpoint.shelf import retention
from services.checkpoint.shelf.catalog import Catalog, page_of
from services.checkpoint.shelf.disk_use import disk_use
from services.checkpoint.shelf.layout import Layout
from services.checkpoint.shelf.shelf import Shelf
from services.checkpoint.shelf.verify import verify


class CheckpointServicer(services.CheckpointServiceServicer):
    def __init__(
        self,
        layout: Layout,
        blobs: Blobs,
        shelf: Shelf,
        catalog: Catalog,
        news: News,
        fences: Fences,
        copies: Copies | None,
        *,
        upload_idle_secs: float,
    ) -> None:
        self._layout = layout
        self._blobs = blobs
        self._shelf = shelf
        self._catalog = catalog
        self._news = news
        self._fences = fences
        self._copies = copies
        self._upload_idle_secs = upload_idle_secs

    async def WriteCheckpoint(
        self, request_iterator: Any, context: Any
    ) -> messages.WriteCheckpointResponse:
        checkpoint = await receive(
            aiter(request_iterator), self._blobs, idle_secs=self._upload_idle_secs
        )
        if self._copies is not None:
            self._copies.add(checkpoint.name)
        return messages.WriteCheckpointResponse(checkpoint=checkpoint)

    async def FenceRun(
        self, request: messages.FenceRunRequest, context: Any
    ) -> messages.FenceRunResponse:
        await asyncio.to_thread(self._fences.claim, request.run, request.fencing_token)
        return messages.FenceRunResponse()

    async def ReadCheckpoint(
        self, request: messages.ReadCheckpointRequest, context: Any
    ) -> AsyncIterator[messages.ReadCheckpointResponse]:
        reading = await _opened(
            open_files,
            self._layout,
            self._catalog,
            name=request.name,
            files=request.files,
            from_file=request.from_file,
            from_offset=request.from_offset,
            digest=request.digest,
        )
        try:
            yield messages.ReadCheckpointResponse(header=reading.checkpoint)
            while (part := await asyncio.to_thread(reading.next_part)) is not None:
                yield part
        finally:
            reading.close()

    async def ReadTensor(
        self, request: messages.ReadTensorRequest, context: Any
    ) -> AsyncIterator[messages.ReadTensorResponse]:
        reading = await _opened(open_tensor, self._layout, self._catalog, request)
        try:
            yield messages.ReadTensorResponse(header=reading.header)
            while data := await asyncio.to_thread(reading.next_chunk):
                yield messages.ReadTensorResponse(data=data)
        finally:
            reading.close()

    async def GetCheckpoint(
        self, request: messages.GetCheckpointRequest, context: Any
    ) -> messages.GetCheckpointResponse:
        checkpoint = await asyncio.to_thread(self._catalog.get, request.name)
        return messages.GetCheckpointResponse(checkpoint=self._with_copy(checkpoint))

    async def ListCheckpoints(
        self, request: messages.ListCheckpointsRequest, context: Any
    ) -> messages.ListCheckpointsResponse:
        size = page_size(request.page_size)
        unreadable: list[messages.UnreadableCheckpoint] = []
        if request.in_bucket:
            found = await asyncio.to_thread(self._bucket().all, request.run)
        elif request.trashed:
            found = await asyncio.to_thread(self._catalog.in_trash, request.run)
        else:
            found, unreadable = await asyncio.to_thread(self._catalog.look, request.run)
        page, token = page_of(found, size=size, token=request.page_token)
        answer = messages.ListCheckpointsResponse(next_page_token=token)
        answer.checkpoints.extend(map(self._with_copy, page))
        if not request.page_token:
            answer.unreadable.extend(unreadable)
        return answer

    async def VerifyCheckpoint(
        self, request: messages.VerifyCheckpointRequest, context: Any
    ) -> messages.VerifyCheckpointResponse:
        damage = await asyncio.to_thread(verify, self._layout, request.name)
        await self._news.tell(request.name)
        return messages.VerifyCheckpointResponse(whole=not damage, damage=damage)

    async def UpdateCheckpoint(
        self, request: messages.UpdateCheckpointRequest, context: Any
    ) -> messages.UpdateCheckpointResponse:
        await asyncio.to_thread(self._shelf.mark, request)
        if self._copies is not None:
            self._copies.add(request.name)  # what was said goes there too
        checkpoint = await asyncio.to_thread(self._catalog.get, request.name)
        await self._news.tell(request.name)
        return messages.UpdateCheckpointResponse(checkpoint=checkpoint)

    async def DeleteCheckpoint(
        self, request: messages.DeleteCheckpointRequest, context: Any
    ) -> messages.DeleteCheckpointResponse:
        trashed = await asyncio.to_thread(
            self._shelf.delete, request.name, permanently=request.permanently
        )
        await self._news.tell(request.name)
        answer = messages.DeleteCheckpointResponse()
        if trashed is not None:
            found = await asyncio.to_thread(
                self._catalog.in_trash, run_name(checkpoint_ids(request.name)[0])
            )
            answer.checkpoint.CopyFrom(
                next((each for each in found if each.name == request.name), Checkpoint())
            )
        return answer

    async def RestoreCheckpoint(
        self, request: messages.RestoreCheckpointRequest, context: Any
    ) -> messages.RestoreCheckpointResponse:
        await asyncio.to_thread(self._shelf.restore, request.name)
        await self._news.tell(request.name)
        checkpoint = await asyncio.to_thread(self._catalog.get, request.name)
        return messages.RestoreCheckpointResponse(checkpoint=checkpoint)

    async def FetchCheckpoint(
        self, request: messages.FetchCheckpointRequest, context: Any
    ) -> messages.FetchCheckpointResponse:
        self._bucket()
        assert self._copies is not None
        self._layout.root(request.name)  # refuses what is no name
        checkpoint = await self._copies.fetch(request.name)
        self._copies.add(request.name)  # which finds that it is there
        await self._news.tell(request.name)
        return messages.FetchCheckpointResponse(checkpoint=checkpoint)

    async def ApplyRetention(
        self, request: messages.ApplyRetentionRequest, context: Any
    ) -> messages.ApplyRetentionResponse:
        checkpoints = await asyncio.to_thread(self._catalog.all, retention.checked_run(request.run))
        decisions = retention.decide(checkpoints, request.policy)
        if not request.dry_run:
            for decision in decisions:
                if not decision.kept_because:
                    await self._retire(decision)
        removed = sum(each.size_bytes for each in decisions if not each.kept_because)
        return messages.ApplyRetentionResponse(decisions=decisions, removed_bytes=removed)

    async def GetDiskUse(
        self, request: messages.GetDiskUseRequest, context: Any
    ) -> messages.GetDiskUseResponse:
        return await asyncio.to_thread(disk_use, self._catalog, free_bytes=self._blobs.free_bytes())

    def _bucket(self) -> Bucket:
        if self._copies is None:
            raise PreconditionFailed(
                "this lab copies to no bucket; set bucket_url of the checkpoint service"
            )
        return self._copies.bucket

    def _with_copy(self, checkpoint: Checkpoint) -> Checkpoint:
        return checkpoint if self._copies is None else self._copies.lay(checkpoint)

    async def _retire(self, decision: messages.RetentionDecision) -> None:
        try:
            await asyncio.to_thread(self._shelf.delete, decision.checkpoint)
        except NotFound:
            return  # somebody else deleted it meanwhile
        except PreconditionFailed:
            decision.kept_because.append("pinned")  # meanwhile
            return
        await self._news.tell(decision.checkpoint)


class _Closable(Protocol):
    def close(self) -> None: ...


_Opened = TypeVar("_Opened", bound=_Closable)


async def _opened(open_it: Callable[..., _Opened], *arguments: Any, **named: Any) -> _Opened:
    """Opens in a thread. What a caller no longer waits for is closed as soon as it is open."""
    opening = asyncio.ensure_future(asyncio.to_thread(open_it, *arguments, **named))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close)
        raise


def _close(opening: asyncio.Future[_Opened]) -> None:
    if opening.exception() is None:
        opening.result().close()
