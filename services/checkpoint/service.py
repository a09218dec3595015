"""What the checkpoint service is made of."""

from __future__ import annotations

import asyncio

import structlog
from pydantic import Field

from lab.rpc.server import GrpcServer, Servicer
from lab.service.beat import join_bus
from lab.service.run import Service
from lab.service.settings import ServiceSettings
from lab.v1 import checkpoint_service_pb2_grpc as services
from services.checkpoint.blobs import Blobs
from services.checkpoint.catalog import Catalog
from services.checkpoint.layout import Layout
from services.checkpoint.servicer import CheckpointServicer

log = structlog.get_logger()


class Settings(ServiceSettings):
    port: int = Field(50053, ge=0, le=65535, description="port to listen on; 0 takes any free one")
    max_checkpoint_bytes: int = Field(32 << 30, gt=0, description="largest checkpoint taken")
    free_space_floor_bytes: int = Field(512 << 20, ge=0, description="disk space never used")
    max_uploads: int = Field(4, gt=0, description="checkpoints being written at once")
    upload_idle_secs: float = Field(60.0, gt=0, description="silence that ends an upload")


async def build(settings: Settings, service: Service) -> GrpcServer:
    # Reads and writes need no NATS, so it does not hold up readiness: it only carries the beat.
    await join_bus(service, settings.nats_url, needed=False)
    layout = Layout(settings.home)
    blobs = Blobs(
        layout,
        max_checkpoint_bytes=settings.max_checkpoint_bytes,
        free_space_floor_bytes=settings.free_space_floor_bytes,
        max_uploads=settings.max_uploads,
    )
    leftovers = await asyncio.to_thread(blobs.start)
    service.on_exit(lambda: asyncio.to_thread(blobs.close))
    log.info("checkpoints", folder=str(layout.checkpoints), leftovers_removed=leftovers)
    servicer = CheckpointServicer(
        layout, blobs, Catalog(layout), upload_idle_secs=settings.upload_idle_secs
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
