"""Copies what was saved to the bucket, in the background, one after the other, until it is there.
A save never waits for it, and what is there is asked of the bucket, not remembered."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

import structlog

from lab.errors import LabError, NotFound
from lab.v1.checkpoint_pb2 import (
    BUCKET_COPY_STATE_COPYING,
    BUCKET_COPY_STATE_DONE,
    BUCKET_COPY_STATE_WAITING,
    BucketCopy,
    Checkpoint,
)
from lab.v1.checkpoint_service_pb2 import FileChunk
from services.checkpoint.bucket.bucket import Bucket
from services.checkpoint.intake.blobs import Blobs
from services.checkpoint.news import News
from services.checkpoint.shelf import marks
from services.checkpoint.shelf.catalog import Catalog
from services.checkpoint.shelf.layout import Layout

MOST_SECS: Final = 300.0

log = structlog.get_logger()


class Copies:
    """`run` is a background task; the rest may be called at any time, on the loop."""

    def __init__(
        self,
        bucket: Bucket,
        layout: Layout,
        catalog: Catalog,
        blobs: Blobs,
        news: News,
        *,
        retry_secs: float,
    ) -> None:
        self.bucket = bucket
        self._layout = layout
        self._catalog = catalog
        self._blobs = blobs
        self._news = news
        self._retry_secs = retry_secs
        self._due: deque[str] = deque()
        self._new = asyncio.Event()
        self._known: dict[str, BucketCopy] = {}

    def add(self, name: str) -> None:
        """To be copied; peeks are not."""
        if self._layout.is_peek(name):
            return
        self._known[name] = BucketCopy(state=BUCKET_COPY_STATE_WAITING)
        self._due.append(name)
        self._new.set()

    def lay(self, checkpoint: Checkpoint) -> Checkpoint:
        """A copy that says how far its copy is."""
        told = Checkpoint()
        told.CopyFrom(checkpoint)
        told.bucket_copy.CopyFrom(
            self._known.get(checkpoint.name, BucketCopy(state=BUCKET_COPY_STATE_WAITING))
        )
        return told

    async def run(self) -> None:
        for checkpoint in await asyncio.to_thread(self._catalog.all):
            if checkpoint.name not in self._known:
                self.add(checkpoint.name)
        pause_secs = self._retry_secs
        while True:
            self._new.clear()
            if not self._due:
                await self._new.wait()
                continue
            name = self._due.popleft()
            if await self._copied(name):
                pause_secs = self._retry_secs
            else:
                self._due.append(name)
                await asyncio.sleep(pause_secs)
                pause_secs = min(2 * pause_secs, MOST_SECS)

    async def fetch(self, name: str) -> Checkpoint:
        """Back from the bucket, through the same checks as every write. Raises NotFound, Damaged,
        AlreadyExists."""
        header = await asyncio.to_thread(self.bucket.read, name)
        return await asyncio.to_thread(self._fetch, header)

    def _fetch(self, header: Checkpoint) -> Checkpoint:
        staging = self._blobs.begin(header, returning=True)
        try:
            for file in header.files:
                offset = 0
                for data in self.bucket.pieces(header.name, file.name):
                    staging.write(FileChunk(file=file.name, offset=offset, data=data))
                    offset += len(data)
            if (said := self.bucket.read_marks(header.name)) != Checkpoint():
                marks.write(staging.folder, said)
            return marks.lay(self._blobs.commit(staging), said)
        finally:
            self._blobs.end(staging)

    async def _copied(self, name: str) -> bool:
        """Whether nothing is left to do for it."""
        state = self._known[name]
        try:
            checkpoint = await asyncio.to_thread(self._catalog.get, name)
            folder = self._layout.find(name)
            if not await asyncio.to_thread(self.bucket.has, checkpoint):
                state.state = BUCKET_COPY_STATE_COPYING
                await asyncio.to_thread(
                    self.bucket.put, folder, checkpoint, copied=lambda done: _progress(state, done)
                )
            await asyncio.to_thread(self.bucket.put_marks, folder, name)
        except NotFound:
            self._known.pop(name, None)
            return True  # deleted meanwhile
        except LabError as error:
            state.state, state.error = BUCKET_COPY_STATE_WAITING, error.message
            state.failures += 1
            log.warning("not copied to the bucket", checkpoint=name, reason=error.message)
            await self._news.tell(name)
            return False
        if self._known.get(name) is state:  # else it was marked meanwhile, and is due again
            self._known[name] = BucketCopy(
                state=BUCKET_COPY_STATE_DONE, copied_bytes=checkpoint.size_bytes
            )
        log.info("in the bucket", checkpoint=name)
        await self._news.tell(name)
        return True


def _progress(state: BucketCopy, copied_bytes: int) -> None:
    state.copied_bytes = copied_bytes
