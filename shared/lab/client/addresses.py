"""Where the services of a cluster answer.

Read from the same layers as the services' own settings, so a port is written down once:
defaults, the cluster file, then the environment (LAB_TRAINER__PORT=...).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, field_validator

from lab.errors import InvalidArgument
from lab.service import settings
from lab.service.settings import ServiceSettings

TRAINER_PORT = 50051
INFERENCE_PORT = 50052
CHECKPOINT_PORT = 50053
GATEWAY_PORTS = (8000, 3000)


class _Place(ServiceSettings):
    """The few settings of a service that concern those who call it."""

    model_config = ConfigDict(frozen=True, extra="ignore")


P = TypeVar("P", bound=_Place)


class _GatewayPlace(_Place):
    ports: tuple[int, ...] = Field(GATEWAY_PORTS, min_length=1)

    @field_validator("ports", mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        """`8000,3000` and `[8000, 3000]`, as an environment variable holds them."""
        return value.strip("[] ").split(",") if isinstance(value, str) else value


@dataclass(frozen=True)
class Addresses:
    """HOST:PORT of each service; the gateway answers the same on each of its ports."""

    trainer: str = f"127.0.0.1:{TRAINER_PORT}"
    inference: str = f"127.0.0.1:{INFERENCE_PORT}"
    checkpoint: str = f"127.0.0.1:{CHECKPOINT_PORT}"
    gateways: tuple[str, ...] = tuple(f"127.0.0.1:{port}" for port in GATEWAY_PORTS)
    nats: str = "127.0.0.1:4222"
    home: Path = Path(".lab")

    def by_service(self) -> dict[str, tuple[str, ...]]:
        """Every address of every process, in the order in which they start."""
        return {
            "nats": (self.nats,),
            "checkpoint": (self.checkpoint,),
            "trainer": (self.trainer,),
            "inference": (self.inference,),
            "gateway": self.gateways,
        }

    @property
    def dashboard(self) -> str:
        """What to type into a browser: the gateway's last port, as people name it."""
        host, _, port = self.gateways[-1].rpartition(":")
        return f"http://{'localhost' if host == '127.0.0.1' else host}:{port}"


def load() -> Addresses:
    """The addresses of the cluster that LAB_CLUSTER names; raises InvalidArgument."""
    trainer = _read("trainer", _Place)
    gateway = _read("gateway", _GatewayPlace)
    return Addresses(
        trainer=_address(trainer, TRAINER_PORT),
        inference=_address(_read("inference", _Place), INFERENCE_PORT),
        checkpoint=_address(_read("checkpoint", _Place), CHECKPOINT_PORT),
        gateways=tuple(f"{_reachable(gateway.host)}:{port}" for port in gateway.ports),
        nats=_nats_address(trainer.nats_url),
        home=trainer.home,
    )


def _read(service: str, kind: type[P]) -> P:
    return settings.load(service, kind, [])[0]


def _address(place: _Place, default_port: int) -> str:
    return f"{_reachable(place.host)}:{place.port or default_port}"


def _reachable(host: str) -> str:
    """A service that listens on every interface is called on this one."""
    return "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # noqa: S104 (compared, not bound)


def _nats_address(url: str) -> str:
    parts = urlsplit(url)
    if not parts.hostname:
        raise InvalidArgument.field("nats_url", f'"{url}" must have the form nats://HOST:PORT')
    return f"{parts.hostname}:{parts.port or 4222}"
