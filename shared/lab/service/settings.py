"""Where a process lives: ports, folders, addresses. Never what to train; that is a RunSpec.

Defaults in code, then the service's section of configs/cluster/<LAB_CLUSTER>.yaml, then the
environment (LAB_TRAINER__PORT=...), then flags (--port). `--print-settings` shows the result and
where each value came from.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML

from lab import folders
from lab.errors import InvalidArgument, Violation

S = TypeVar("S", bound="ServiceSettings")


class ServiceSettings(BaseModel):
    """What every service needs to know; each service adds its own in its service.py."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(0, ge=0, le=65535, description="port to listen on; 0 takes any free one")
    metrics_port: int = Field(0, ge=0, le=65535, description="Prometheus port; 0 turns it off")
    nats_url: str = Field("nats://127.0.0.1:4222", description="address of the NATS server")
    home: Path = Field(default_factory=folders.home, description="folder of everything stored")
    grace_secs: float = Field(10.0, gt=0, description="time that open requests get at the end")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$")


def load(service: str, kind: type[S], arguments: Sequence[str]) -> tuple[S, dict[str, str]]:
    """The settings of a service and, for each of them, where it came from.

    Raises InvalidArgument naming every setting that cannot be accepted.
    """
    layers: list[tuple[str, Mapping[str, Any]]] = [
        *_cluster_file(service),
        ("environment", _environment(service, kind)),
        ("flag", _flags(kind, arguments)),
    ]
    values: dict[str, Any] = {}
    origin = dict.fromkeys(kind.model_fields, "default")
    for name, layer in layers:
        values |= layer
        origin |= dict.fromkeys(layer, name)
    try:
        return kind.model_validate(values), origin
    except ValidationError as error:
        raise InvalidArgument.of(
            *(
                Violation(
                    f"{service}.{'.'.join(map(str, problem['loc']))}",
                    f"{problem['msg']} (from {origin.get(str(problem['loc'][0]), 'unknown key')})",
                )
                for problem in error.errors(include_url=False, include_input=False)
            )
        ) from None


def describe(settings: ServiceSettings, origin: Mapping[str, str]) -> str:
    return "\n".join(f"{key} = {value}  ({origin[key]})" for key, value in settings)


def _cluster_file(service: str) -> list[tuple[str, Mapping[str, Any]]]:
    """This service's section of the cluster file, if a cluster is named and has the section."""
    cluster = os.environ.get("LAB_CLUSTER", "local")
    path = folders.configs() / "cluster" / f"{cluster}.yaml"
    if not path.is_file():
        return []
    sections = YAML(typ="safe").load(path) or {}
    return [(str(path), sections.get(service) or {})]


def _environment(service: str, kind: type[ServiceSettings]) -> dict[str, str]:
    prefix = f"LAB_{service.upper()}__"
    found = {}
    for field in kind.model_fields:
        for key in (f"LAB_ALL__{field.upper()}", f"{prefix}{field.upper()}"):
            if key in os.environ:
                found[field] = os.environ[key]
    return found


def _flags(kind: type[ServiceSettings], arguments: Sequence[str]) -> dict[str, str]:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for field, info in kind.model_fields.items():
        parser.add_argument(
            "--" + field.replace("_", "-"), help=info.description, default=argparse.SUPPRESS
        )
    return vars(parser.parse_args(arguments))
