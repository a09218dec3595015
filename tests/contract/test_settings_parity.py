"""Cluster files, the services' settings and the client's addresses say the same."""

from __future__ import annotations

from typing import Any

import pytest
from ruamel.yaml import YAML

import services.checkpoint.service
import services.gateway.service
import services.inference.service
import services.trainer.service
from lab import folders
from lab.client import Addresses, addresses
from lab.service import settings
from lab.service.settings import ServiceSettings

SETTINGS: dict[str, type[ServiceSettings]] = {
    "checkpoint": services.checkpoint.service.Settings,
    "trainer": services.trainer.service.Settings,
    "inference": services.inference.service.Settings,
    "gateway": services.gateway.service.Settings,
}
CLUSTERS = ("local", "compose")


@pytest.fixture(params=CLUSTERS)
def cluster(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("LAB_CLUSTER", request.param)
    monkeypatch.delenv("LAB_CONFIGS", raising=False)
    return str(request.param)


def sections(cluster: str) -> dict[str, dict[str, Any]]:
    path = folders.configs() / "cluster" / f"{cluster}.yaml"
    found: dict[str, dict[str, Any]] = YAML(typ="safe").load(path)
    return found


def needed(service: str) -> dict[str, str]:
    """Setting -> service it is the address of, as in checkpoint_address -> checkpoint."""
    return {
        field: field.removesuffix("_address")
        for field in SETTINGS[service].model_fields
        if field.endswith("_address")
    }


def test_a_cluster_file_has_a_section_for_every_service(cluster: str) -> None:
    assert list(sections(cluster)) == list(SETTINGS)


@pytest.mark.parametrize("service", SETTINGS)
def test_every_section_is_accepted_by_its_service(service: str, cluster: str) -> None:
    values, origin = settings.load(service, SETTINGS[service], [])
    assert {key for key, where in origin.items() if "cluster" in where} >= {
        key for key in sections(cluster)[service]
    }
    assert values.home


def test_both_files_set_the_same_keys_but_where_a_container_differs() -> None:
    """In a container a service listens on every address, and NATS is another host."""
    only_there = {"host", "nats_url", "behind_loopback_publish", "frontend_dist"}
    local, compose = sections("local"), sections("compose")
    for service in SETTINGS:
        assert set(compose[service]) - only_there == set(local[service])


def test_every_address_points_at_the_port_of_its_service(cluster: str) -> None:
    found = sections(cluster)
    for service in SETTINGS:
        for field, target in needed(service).items():
            host, _, port = found[service][field].partition(":")
            assert int(port) == found[target]["port"]
            assert host == ("127.0.0.1" if cluster == "local" else target)


def test_ports_are_the_defaults_in_code_and_the_same_everywhere() -> None:
    for cluster in CLUSTERS:
        found = sections(cluster)
        for service, kind in SETTINGS.items():
            key = "ports" if service == "gateway" else "port"
            default = kind.model_fields[key].default
            assert found[service][key] == (list(default) if key == "ports" else default)


def test_the_client_knows_the_same_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_CLUSTER", "local")
    found = addresses.load()
    assert found.by_service() == Addresses().by_service()


def test_only_the_gateway_in_its_container_waives_the_token() -> None:
    assert sections("compose")["gateway"]["behind_loopback_publish"] is True
    assert "behind_loopback_publish" not in sections("local")["gateway"]
