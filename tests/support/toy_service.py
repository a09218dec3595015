"""A small service run as a real process by the tests of lab.service.run.

`python -m tests.support.toy_service`: needs another service when `needs` names one, and has a
background task that dies when the file `die_when` appears.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog
from pydantic import Field

from lab.errors import Unavailable
from lab.rpc.server import GrpcServer
from lab.service.run import Service, run_service
from lab.service.settings import ServiceSettings

log = structlog.get_logger()


class Settings(ServiceSettings):
    needs: str = Field("", description="address of a service that must answer first")
    die_when: str = Field("", description="the background task dies when this file appears")
    refuse: bool = Field(False, description="build raises a LabError")
    slow_exit: bool = Field(False, description="leaving never ends")


async def build(settings: Settings, service: Service) -> GrpcServer:
    if settings.refuse:
        raise Unavailable("the toy cannot be wound up; wind it up first")
    if settings.needs:
        service.needs_grpc("other", settings.needs)
    if settings.die_when:
        service.tasks.start("watch for the file", _die_when(Path(settings.die_when)))

    async def left() -> None:
        log.info("left everything")
        if settings.slow_exit:
            await asyncio.Event().wait()

    service.on_exit(left)
    return GrpcServer([], host=settings.host, port=settings.port)


async def _die_when(file: Path) -> None:
    while not await asyncio.to_thread(file.exists):  # noqa: ASYNC110 (a file tells nobody)
        await asyncio.sleep(0.01)
    raise RuntimeError("the file is there")


if __name__ == "__main__":
    run_service("toy", Settings, build)
