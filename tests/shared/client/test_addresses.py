"""The client finds services where their own settings put them."""

from pathlib import Path

import pytest

from lab.client import addresses
from lab.errors import InvalidArgument


@pytest.fixture(autouse=True)
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "cluster").mkdir()
    monkeypatch.setenv("LAB_CONFIGS", str(tmp_path))
    monkeypatch.setenv("LAB_CLUSTER", "here")
    return tmp_path / "cluster" / "here.yaml"


def test_without_a_cluster_file_the_known_ports_are_used() -> None:
    found = addresses.load()
    assert found.trainer == "127.0.0.1:50051"
    assert found.inference == "127.0.0.1:50052"
    assert found.checkpoint == "127.0.0.1:50053"
    assert found.gateways == ("127.0.0.1:8000", "127.0.0.1:3000")
    assert found.nats == "127.0.0.1:4222"
    assert found.dashboard == "http://localhost:3000"


def test_cluster_file_and_environment_are_read_as_the_services_read_them(
    cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.write_text("trainer: {port: 1, slots: 4}\ngateway: {ports: [2, 3]}\n")
    monkeypatch.setenv("LAB_INFERENCE__PORT", "4")
    monkeypatch.setenv("LAB_ALL__NATS_URL", "nats://127.0.0.1:5")
    found = addresses.load()
    assert found.trainer == "127.0.0.1:1"
    assert found.gateways == ("127.0.0.1:2", "127.0.0.1:3")
    assert found.inference == "127.0.0.1:4"
    assert found.nats == "127.0.0.1:5"


@pytest.mark.parametrize("text", ["8001,3001", "[8001, 3001]", " 8001 , 3001 "])
def test_ports_from_the_environment_may_be_written_as_a_list(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_GATEWAY__PORTS", text)
    assert addresses.load().gateways == ("127.0.0.1:8001", "127.0.0.1:3001")


def test_a_service_on_every_interface_is_called_on_this_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAB_TRAINER__HOST", "0.0.0.0")
    assert addresses.load().trainer == "127.0.0.1:50051"


@pytest.mark.parametrize(
    ("name", "value"),
    [("LAB_TRAINER__PORT", "70000"), ("LAB_GATEWAY__PORTS", "x"), ("LAB_ALL__NATS_URL", "here")],
)
def test_a_bad_address_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidArgument) as refused:
        addresses.load()
    assert name.rpartition("__")[2].lower() in refused.value.message
