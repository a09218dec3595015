"""Listens with uvicorn on every port of the gateway, from `start` to `stop`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Generator, Sequence

import uvicorn
from starlette.types import ASGIApp

from lab.errors import LabError
from lab.service.tasks import Tasks
from services.gateway.live.frames import MAX_CLIENT_FRAME_BYTES
from services.gateway.sockets import BACKLOG, listening_sockets

MAX_STOP_SECS = 10.0
PING_SECS = 20.0


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals belong to lab.service.run."""
        yield


class HttpServer:
    """What a service listens with, as lab.service.run wants it. Port 0 takes any free one."""

    def __init__(
        self,
        make_app: Callable[[Sequence[int]], ASGIApp],
        *,
        host: str,
        ports: Sequence[int],
        tasks: Tasks,
        before_stop: Callable[[], Awaitable[None]],
    ) -> None:
        """`make_app` is given the ports that were really taken."""
        self._make_app, self._host, self._wanted = make_app, host, ports
        self._tasks, self._before_stop = tasks, before_stop
        self._server: _Uvicorn | None = None
        self._serving: asyncio.Task[None] | None = None
        self.ports: list[int] = []
        self.port = 0

    async def start(self) -> None:
        """Raises Unavailable when a port is taken, naming who holds it."""
        sockets = listening_sockets(self._host, self._wanted)
        self.ports = [each.getsockname()[1] for each in sockets]
        self.port = self.ports[0]
        config = uvicorn.Config(
            self._make_app(self.ports),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            http="httptools",
            ws="websockets-sansio",
            ws_max_size=MAX_CLIENT_FRAME_BYTES,
            ws_per_message_deflate=False,
            ws_ping_interval=PING_SECS,
            ws_ping_timeout=PING_SECS,
            h11_max_incomplete_event_size=16 * 1024,
        )
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # we log what it would
        self._server = _Uvicorn(config)
        self._serving = self._tasks.start("http", self._server.serve(sockets=sockets))
        while not self._server.started:
            if self._serving.done():
                raise LabError("the HTTP server ended while it started; see the log")
            await asyncio.sleep(0.005)  # uvicorn offers a flag and no event

    async def set_ready(self, ready: bool) -> None:
        """Nothing to do: /readyz asks the readiness itself."""

    async def stop(self, grace_secs: float) -> None:
        """Sockets are told to come back, requests under way get the rest of the grace."""
        if self._server is None or self._serving is None:
            return
        await self._before_stop()
        self._server.config.timeout_graceful_shutdown = max(1, int(min(grace_secs, MAX_STOP_SECS)))
        self._server.should_exit = True
        await asyncio.wait([self._serving])
