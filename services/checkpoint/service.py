"""What the checkpoint service is made of."""

from __future__ import annotations

import asyncio
import threading

import structlog
from pydantic import Field

from lab.rpc.server import GrpcServer, Servicer
from lab.service.beat import join_bus
from lab.service.run import Service
from lab.service.settings import ServiceSettings
from lab.v1 import checkpoint_service_pb2_grpc as services
from services.checkpoint.bucket.bucket import Bucket
from services.checkpoint.bucket.copies import Copies
from services.checkpoint.intake.blobs import Blobs
from services.checkpoint.intake.fences import NAME as FENCES
from services.checkpoint.intake.fences import Fences
from services.checkpoint.news import News
from services.checkpoint.servicer import CheckpointServicer
from services.checkpoint.shelf.catalog import Catalog
from services.checkpoint.shelf.layout import Layout
from services.checkpoint.shelf.shelf import Shelf
from services.checkpoint.shelf.trash import NAME as TRASH
from services.checkpoint.shelf.trash import Trash

DAY_SECS = 86_400.0

log = structlog.get_logger()


class Settings(ServiceSettings):
    port: int = Field(50053, ge=0, le=65535, description="port to listen on; 0 takes any free one")
    max_checkpoint_bytes: int = Field(32 << 30, gt=0, description="largest checkpoint taken")
    free_space_floor_bytes: int = Field(512 << 20, ge=0, description="disk space never used")
    max_uploads: int = Field(4, gt=0, description="checkpoints being written at once")
    upload_idle_secs: float = Field(60.0, gt=0, description="silence that ends an upload")
    trash_days: float = Field(
        7.0, ge=0, description="how long a deleted checkpoint is kept; 0 is not at all"
    )
    trash_look_secs: float = Field(
        3600.0, gt=0, description="how often the trash is looked through"
    )
    bucket_url: str = Field(
        "",
        pattern="^(s3://.+)?$",
        description="second place, as in s3://bucket/folder; off if empty",
    )
    bucket_endpoint: str = Field("", description="address of an S3 that is not Amazon's")
    bucket_retry_secs: float = Field(
        5.0, gt=0, description="pause after a copy that failed; doubles"
    )


async def build(settings: Settings, service: Service) -> GrpcServer:
    # Reads and writes need no NATS, so it does not hold up readiness: it only carries the beat.
    bus = await join_bus(service, settings.nats_url, needed=False)
    layout = Layout(settings.home)
    trash = Trash(layout.checkpoints / TRASH, keep_secs=settings.trash_days * DAY_SECS)
    lock = threading.Lock()
    shelf = Shelf(layout, trash, lock)
    fences = Fences(layout.checkpoints / FENCES)
    blobs = Blobs(
        layout,
        fences,
        max_checkpoint_bytes=settings.max_checkpoint_bytes,
        free_space_floor_bytes=settings.free_space_floor_bytes,
        max_uploads=settings.max_uploads,
        lock=lock,
        make_room=shelf.make_room,
    )
    leftovers = await asyncio.to_thread(blobs.start)
    service.on_exit(lambda: asyncio.to_thread(blobs.close))
    log.info("checkpoints", folder=str(layout.checkpoints), leftovers_removed=leftovers)
    service.tasks.start("empty trash", _empty_trash(shelf, every_secs=settings.trash_look_secs))
    catalog, news = Catalog(layout, trash), News(bus)
    copies: Copies | None = None
    if settings.bucket_url:
        bucket = Bucket(settings.bucket_url, endpoint=settings.bucket_endpoint)
        service.on_exit(lambda: asyncio.to_thread(bucket.close))
        copies = Copies(bucket, layout, catalog, blobs, news, retry_secs=settings.bucket_retry_secs)
        service.tasks.start("copy to bucket", copies.run())
    servicer = CheckpointServicer(
        layout,
        blobs,
        shelf,
        catalog,
        news,
        fences,
        copies,
        upload_idle_secs=settings.upload_idle_secs,
    )
    return GrpcServer(
        [
            Servicer(
                services.add_CheckpointServiceServicer_to_server,
                servicer,
                "lab.v1.CheckpointService",
            )
        ],
        host=settings.host,
        port=settings.port,
    )


async def _empty_trash(shelf: Shelf, *, every_secs: float) -> None:
    """At the start and ever after. A background task."""
    while True:
        if gone := await asyncio.to_thread(shelf.empty_expired):
            log.info("out of the trash for good", checkpoints=gone)
        await asyncio.sleep(every_secs)
