"""docker-compose.yml and the local cluster are the same lab."""

from __future__ import annotations

import configparser
import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from lab import folders
from lab.cli.cluster.supervision import PROGRAMS
from lab.client import Addresses
from lab.service.settings import ServiceSettings
from tests.contract.test_settings_parity import SETTINGS, needed, sections

ROOT = folders.checkout()


def load(text: str) -> Any:
    return YAML(typ="safe").load(text)


COMPOSE = load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def local_programs() -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser(inline_comment_prefixes=())
    parser.read_string((ROOT / "configs" / "cluster" / "local.conf").read_text())
    return {
        section.removeprefix("program:"): dict(parser[section])
        for section in parser.sections()
        if section.startswith("program:")
    }


def test_the_same_processes_run_in_both() -> None:
    assert list(local_programs()) == list(SERVICES) == list(PROGRAMS)


@pytest.mark.parametrize("service", SETTINGS)
def test_both_run_the_same_module(service: str) -> None:
    module = f"services.{service}"
    assert local_programs()[service]["command"].endswith(f"-m {module}")
    dockerfile = (ROOT / "services" / "Dockerfile").read_text()
    stage = re.search(rf"^FROM \S+ AS {service}$(.*?)(?=^FROM|\Z)", dockerfile, re.M | re.S)
    assert stage, f"the Dockerfile has no stage {service}"
    assert f'CMD ["python", "-m", "{module}"]' in stage[1]
    build = SERVICES[service]["build"]
    assert build["target"] == build["args"]["SERVICE"] == service


def test_nats_runs_with_the_same_configuration() -> None:
    command = SERVICES["nats"]["command"]
    assert any(
        volume.startswith("./configs/cluster/nats.conf:" + command[command.index("-c") + 1])
        for volume in SERVICES["nats"]["volumes"]
    )
    assert "cluster/nats.conf" in local_programs()["nats"]["command"]


@pytest.mark.parametrize("service", SETTINGS)
def test_published_ports_are_the_ports_of_the_settings(service: str) -> None:
    section = sections("compose")[service]
    wanted = section["ports"] if service == "gateway" else [section["port"]]
    assert SERVICES[service]["ports"] == [f"127.0.0.1:{port}:{port}" for port in wanted]


def test_nats_is_published_where_the_command_line_looks_for_it() -> None:
    assert SERVICES["nats"]["ports"] == [f"{Addresses().nats}:4222"]
    assert Addresses().nats == "127.0.0.1:4222"


def test_nothing_is_published_beyond_this_machine() -> None:
    for name, service in SERVICES.items():
        assert service.get("network_mode") != "host", name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name} publishes {port}"


@pytest.mark.parametrize("service", SETTINGS)
def test_environment_keys_are_ones_the_local_cluster_has_too(service: str) -> None:
    conf = (ROOT / "configs" / "cluster" / "local.conf").read_text()
    known = {f"LAB_{field.upper()}" for field in ("home", "configs", "cluster", "asset_mirror")}
    known |= {f"LAB_{service.upper()}__{f.upper()}" for f in SETTINGS[service].model_fields}
    given = set(SERVICES[service]["environment"])
    assert given <= known
    assert {"LAB_HOME", "LAB_CONFIGS"} <= given
    assert all(f"%(ENV_{key})s" in conf for key in ("LAB_HOME", "LAB_CONFIGS"))
    assert SERVICES[service]["environment"]["LAB_CLUSTER"] == "compose"


@pytest.mark.parametrize("service", SETTINGS)
def test_a_service_starts_after_what_its_settings_say_it_needs(service: str) -> None:
    depends = SERVICES[service]["depends_on"]
    assert set(depends) == {"nats", *needed(service).values()}
    for name, how in depends.items():
        wanted = "service_started" if name == "nats" else "service_healthy"
        assert how["condition"] == wanted, f"{service} on {name}"


@pytest.mark.parametrize("service", SETTINGS)
def test_health_is_asked_for_at_a_port_the_service_has(service: str) -> None:
    probe = " ".join(SERVICES[service]["healthcheck"]["test"])
    section = sections("compose")[service]
    port = section["ports"][0] if service == "gateway" else section["port"]
    assert f"127.0.0.1:{port}" in probe


@pytest.mark.parametrize("service", PROGRAMS)
def test_a_container_can_do_as_little_as_possible(service: str) -> None:
    options = SERVICES[service]
    assert options["read_only"] is True
    assert options["cap_drop"] == ["ALL"]
    assert options["security_opt"] == ["no-new-privileges:true"]
    assert not options.get("privileged")
    assert not any("docker.sock" in volume for volume in options["volumes"])


def test_services_do_not_run_as_root_and_the_dockerfile_pulls_no_frontend() -> None:
    dockerfile = (ROOT / "services" / "Dockerfile").read_text()
    assert not dockerfile.lstrip("# ").startswith("syntax=")
    assert "# syntax=" not in dockerfile
    stages = re.split(r"^FROM ", dockerfile, flags=re.M)[2:]  # the first builds the dashboard
    user = None
    for stage in stages:
        users = re.findall(r"^USER (\S+)$", stage, re.M)
        user = users[-1] if users else user
        assert user == "lab", stage.splitlines()[0]


def test_every_volume_is_named_and_used_by_one_service() -> None:
    used = [
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service["volumes"]
        if not volume.startswith("./")
    ]
    assert sorted(used) == sorted(COMPOSE["volumes"])


@pytest.mark.parametrize("program", PROGRAMS)
def test_local_programs_come_back_and_stop_whole(program: str) -> None:
    options = local_programs()[program]
    assert options["autorestart"] == "true"
    assert options["stopasgroup"] == "true"
    assert options["stdout_logfile"] == f"%(ENV_LAB_HOME)s/logs/{program}.log"
    assert "stdout_logfile_maxbytes" in options
    assert int(options["stopwaitsecs"]) > ServiceSettings.model_fields["grace_secs"].default


def test_nats_has_the_limits_we_want_and_not_its_defaults() -> None:
    conf = (ROOT / "configs" / "cluster" / "nats.conf").read_text()
    for line in (
        "host: 127.0.0.1",
        "max_payload: 256KB",
        "max_pending: 8MB",
        'write_deadline: "5s"',
        "sync_interval: always",
    ):
        assert re.search(rf"^\s*{re.escape(line)}$", conf, re.M), line
    assert not re.search(r"^\s*(http|https|websocket|leafnodes|mqtt|cluster)\b", conf, re.M)
