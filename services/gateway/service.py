"""What the gateway is made of, and its settings."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator
from starlette.types import ASGIApp

from lab import folders
from lab.errors import InvalidArgument
from lab.service.beat import join_bus
from lab.service.run import Service
from lab.service.settings import ServiceSettings
from services.gateway.app import Parts, make_app
from services.gateway.generations import Generations
from services.gateway.live.endpoint import Live
from services.gateway.live.hub import Hub
from services.gateway.places import AllowedPlaces
from services.gateway.rates import Limits, Rates
from services.gateway.server import HttpServer
from services.gateway.sessions import Sessions, token_in, write_link
from services.gateway.upstream import Upstream
from services.gateway.versions import check_versions

# Where `make dev` serves the dashboard from, with hot reload, passing /api on to the gateway.
DEVELOPMENT_ORIGINS = ("http://localhost:3000", "http://127.0.0.1:3000")


class Settings(ServiceSettings):
    """Lists are given as JSON or with commas: LAB_GATEWAY__PORTS='8000,3000'."""

    ports: tuple[int, ...] = Field(
        (8000, 3000), min_length=1, description="ports to listen on; the same on each"
    )
    trainer_address: str = Field("127.0.0.1:50051", description="address of the trainer")
    checkpoint_address: str = Field("127.0.0.1:50053", description="address of the checkpoints")
    inference_address: str = Field("127.0.0.1:50052", description="address of inference")
    frontend_dist: Path = Field(
        default_factory=lambda: folders.checkout() / "frontend" / "dist",
        description="folder of the built dashboard",
    )
    allowed_hosts: tuple[str, ...] = Field(
        (), description="further Host headers to answer to, as in lab.example:8000"
    )
    allowed_origins: tuple[str, ...] = Field(
        DEVELOPMENT_ORIGINS, description="origins of pages from elsewhere that may use the API"
    )
    auth: Literal["none", "token"] = Field(
        "none", description="token: every request must hold the token in HOME/gateway-token"
    )
    behind_loopback_publish: bool = Field(
        False,
        description="the host is inside a container whose ports are published on 127.0.0.1 only, "
        "so listening on every address of the container needs no token",
    )

    reads_per_sec: float = Field(
        Limits.reads_per_sec,
        gt=0,
        description="questions that one caller may ask a second; ten seconds' worth at once",
    )
    writes_per_sec: float = Field(
        Limits.writes_per_sec,
        gt=0,
        description="changes that one caller may make a second; ten seconds' worth at once",
    )

    @field_validator("ports", "allowed_hosts", "allowed_origins", mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        parts = [part.strip().strip("\"'") for part in value.strip().strip("[]").split(",")]
        return [part for part in parts if part]


async def build(settings: Settings, service: Service) -> HttpServer:
    check_versions()
    refuse_unsafe(settings)
    upstream = Upstream.connect(
        trainer=settings.trainer_address,
        checkpoint=settings.checkpoint_address,
        inference=settings.inference_address,
    )
    service.on_exit(upstream.close)
    service.needs_grpc("trainer", settings.trainer_address)
    service.needs_grpc("checkpoint", settings.checkpoint_address)
    service.needs_grpc("inference", settings.inference_address)
    bus = await join_bus(service, settings.nats_url)
    generations = Generations(upstream)
    service.on_exit(generations.stop)
    hub = Hub(
        bus=bus,
        upstream=upstream,
        generations=generations,
        readiness=service.readiness,
        tasks=service.tasks,
    )
    parts = Parts(
        upstream=upstream,
        generations=generations,
        live=Live(hub),
        readiness=service.readiness,
        sessions=_sessions(settings),
        rates=Rates(
            Limits(reads_per_sec=settings.reads_per_sec, writes_per_sec=settings.writes_per_sec)
        ),
        dashboard=settings.frontend_dist,
    )

    def app(ports: Sequence[int]) -> ASGIApp:
        return make_app(
            parts,
            AllowedPlaces.of(
                ports=ports, hosts=settings.allowed_hosts, origins=settings.allowed_origins
            ),
        )

    return HttpServer(
        app,
        host=settings.host,
        ports=settings.ports,
        tasks=service.tasks,
        before_stop=parts.live.stop,
    )


def _sessions(settings: Settings) -> Sessions | None:
    if settings.auth != "token":
        return None
    token = token_in(settings.home)
    write_link(settings.home, port=settings.ports[0], token=token)
    return Sessions(token)


def refuse_unsafe(settings: Settings) -> None:
    """Reachable from other machines and open to all of them: not by accident."""
    if settings.auth == "token" or settings.behind_loopback_publish or _is_loopback(settings.host):
        return
    raise InvalidArgument.field(
        "gateway.host",
        f"{settings.host} can be reached from other machines, and no token is asked for; set "
        "gateway.auth to token, or listen on 127.0.0.1; in a container whose ports are published "
        "on 127.0.0.1 only, set gateway.behind_loopback_publish to true",
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
