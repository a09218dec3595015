"""A gRPC server with everything a service of the lab has: errors, health, reflection."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from lab.errors import Unavailable
from lab.rpc.interceptors import Answering

# Above the default, because a server that is pinged more often than its minimum drops the client.
_MIN_PING_INTERVAL_MS = 30_000


@dataclass(frozen=True)
class Servicer:
    """A generated `add_XServicer_to_server`, the object to add, and the service's full name."""

    add: Callable[[Any, grpc.aio.Server], None]
    servicer: object
    name: str


class GrpcServer:
    """Listens from `start` to `stop`. Health follows `set_ready`; port 0 takes any free port."""

    def __init__(self, servicers: Sequence[Servicer], *, host: str, port: int) -> None:
        self._host, self._wanted_port = host, port
        self._server = grpc.aio.server(
            interceptors=[Answering()],
            options=[
                ("grpc.so_reuseport", 0),  # a busy port is an error, not a shared port
                ("grpc.http2.min_ping_interval_without_data_ms", _MIN_PING_INTERVAL_MS),
            ],
        )
        for servicer in servicers:
            servicer.add(servicer.servicer, self._server)
        self._names = ["", *(servicer.name for servicer in servicers)]
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            [*self._names[1:], health.SERVICE_NAME, reflection.SERVICE_NAME], self._server
        )
        self.port = 0

    async def start(self) -> None:
        """Raises Unavailable when the port is taken."""
        await self.set_ready(False)
        address = f"{self._host}:{self._wanted_port}"
        try:
            self.port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise Unavailable(
                f"{address} cannot be listened on; another process may hold the port"
            ) from error
        await self._server.start()

    async def set_ready(self, ready: bool) -> None:
        status = health_pb2.HealthCheckResponse
        for name in self._names:
            await self._health.set(name, status.SERVING if ready else status.NOT_SERVING)

    async def stop(self, grace_secs: float) -> None:
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_secs)
