"""The one way a process of the lab starts, runs and stops.

settings -> logging -> metrics -> build -> listen -> ready when what it needs has answered -> until
a signal or a dead background task -> stop listening -> leave everything in reverse -> exit.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Protocol, TypeVar

import prometheus_client
import structlog

import lab
from lab.errors import LabError
from lab.rpc.health import is_ready
from lab.service import logging, settings
from lab.service.readiness import Readiness
from lab.service.settings import ServiceSettings
from lab.service.tasks import Tasks

S = TypeVar("S", bound=ServiceSettings)
T = TypeVar("T")

HEALTH_POLL_SECS = 1.0

log = structlog.get_logger()


class Server(Protocol):
    """What a service listens with: GrpcServer, or the gateway's HTTP server."""

    port: int

    async def start(self) -> None: ...
    async def set_ready(self, ready: bool) -> None: ...
    async def stop(self, grace_secs: float) -> None: ...


class Service:
    """What `build` wires a service with. Whatever is entered here is left in reverse order."""

    def __init__(self, name: str, stack: AsyncExitStack) -> None:
        self.name = name
        self.readiness = Readiness()
        self.tasks = Tasks()
        self._stack = stack

    async def enter(self, resource: AbstractAsyncContextManager[T]) -> T:
        return await self._stack.enter_async_context(resource)

    def on_exit(self, close: Callable[[], Awaitable[object]]) -> None:
        self._stack.push_async_callback(close)

    def needs_grpc(self, name: str, address: str) -> None:
        """Ready only while the gRPC service at `address` says it is serving."""
        self.readiness.needs(name, address)
        self.tasks.start(f"watch {name}", self._watch_health(name, address))

    async def _watch_health(self, name: str, address: str) -> None:
        while True:
            if await is_ready(address):
                self.readiness.met(name)
            else:
                self.readiness.lost(name, address)
            await asyncio.sleep(HEALTH_POLL_SECS)


Build = Callable[[S, Service], Awaitable[Server]]


def run_service(name: str, kind: type[S], build: Build[S]) -> None:
    """Runs the service until it is told to stop; ends the interpreter with 0, 1 or 2."""
    arguments = sys.argv[1:]
    show = "--print-settings" in arguments
    try:
        values, origin = settings.load(
            name, kind, [argument for argument in arguments if argument != "--print-settings"]
        )
    except LabError as error:
        sys.stderr.write(f"{name}: {error.message}\n")
        sys.exit(2)
    if show:
        sys.stdout.write(settings.describe(values, origin) + "\n")
        return
    logging.configure(name, level=values.log_level)
    sys.exit(asyncio.run(_run(name, values, build)))


async def _run(name: str, values: S, build: Build[S]) -> int:
    stop = _stop_on_signals()
    if values.metrics_port:
        prometheus_client.start_http_server(values.metrics_port, addr=values.host)
    try:
        async with AsyncExitStack() as stack:
            service = Service(name, stack)
            stack.push_async_callback(service.tasks.stop)
            server = await build(values, service)
            await server.start()
            log.info("listening", host=values.host, port=server.port, version=lab.__version__)
            service.readiness.watch(
                lambda ready: _keep(asyncio.ensure_future(server.set_ready(ready)))
            )
            service.readiness.listening(True)
            stopping: asyncio.Future[Any] = asyncio.ensure_future(stop.wait())
            failed: asyncio.Future[Any] = service.tasks.failed
            await asyncio.wait({stopping, failed}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            log.info("stopping")
            service.readiness.listening(False)
            await server.stop(values.grace_secs)
            if service.tasks.failed.done():
                error = service.tasks.failed.result()
                log.error("a background task died", exc_info=error)
                return 1
    except LabError as error:
        log.error("cannot run", detail=error.message)
        return 1
    log.info("stopped")
    return 0


_kept: set[asyncio.Future[None]] = set()


def _keep(future: asyncio.Future[None]) -> None:
    """The loop holds tasks weakly; without this one could vanish before it ran."""
    _kept.add(future)
    future.add_done_callback(_kept.discard)


def _stop_on_signals() -> asyncio.Event:
    """Set by SIGTERM or SIGINT. A second signal ends the process at once."""
    stop = asyncio.Event()

    def signalled() -> None:
        if stop.is_set():
            os._exit(1)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled)
    return stop
