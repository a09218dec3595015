"""Settings: four layers, the later wins, and a bad one is named with its origin."""

from pathlib import Path

import pytest
from pydantic import Field

from lab.errors import InvalidArgument
from lab.service import settings
from lab.service.settings import ServiceSettings


class Toy(ServiceSettings):
    port: int = Field(50099, ge=0, le=65535)
    slots: int = Field(1, gt=0)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own folder of configs with an empty cluster named `here`."""
    (tmp_path / "cluster").mkdir()
    monkeypatch.setenv("LAB_CONFIGS", str(tmp_path))
    monkeypatch.setenv("LAB_CLUSTER", "here")
    return tmp_path / "cluster" / "here.yaml"


def test_defaults_when_nothing_is_said(cluster: Path) -> None:
    values, origin = settings.load("toy", Toy, [])
    assert (values.port, values.host) == (50099, "127.0.0.1")
    assert set(origin.values()) == {"default"}


def test_each_layer_wins_over_the_one_before(
    cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.write_text("toy: {port: 1001, slots: 2}\nother: {port: 7}\n")
    assert settings.load("toy", Toy, [])[0].port == 1001
    monkeypatch.setenv("LAB_TOY__PORT", "1002")
    assert settings.load("toy", Toy, [])[0].port == 1002
    values, origin = settings.load("toy", Toy, ["--port", "1003"])
    assert (values.port, values.slots) == (1003, 2)
    assert origin["port"] == "flag"
    assert origin["slots"] == str(cluster)
    assert origin["host"] == "default"


def test_a_setting_for_all_services_yields_to_one_for_this(
    cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_ALL__NATS_URL", "nats://10.0.0.1:4222")
    assert settings.load("toy", Toy, [])[0].nats_url == "nats://10.0.0.1:4222"
    monkeypatch.setenv("LAB_TOY__NATS_URL", "nats://10.0.0.2:4222")
    assert settings.load("toy", Toy, [])[0].nats_url == "nats://10.0.0.2:4222"


def test_a_cluster_without_a_section_is_fine(cluster: Path) -> None:
    cluster.write_text("other: {port: 7}\ntoy:\n")
    assert settings.load("toy", Toy, [])[0].port == 50099


def test_every_bad_setting_is_named_with_where_it_came_from(
    cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.write_text("toy: {slots: 0}\n")
    monkeypatch.setenv("LAB_TOY__PORT", "70000")
    with pytest.raises(InvalidArgument) as refused:
        settings.load("toy", Toy, [])
    told = {violation.field: violation.description for violation in refused.value.violations}
    assert set(told) == {"toy.port", "toy.slots"}
    assert "environment" in told["toy.port"]
    assert "65535" in told["toy.port"]
    assert str(cluster) in told["toy.slots"]


def test_a_misspelt_key_in_the_cluster_file_is_refused(cluster: Path) -> None:
    cluster.write_text("toy: {prot: 1}\n")
    with pytest.raises(InvalidArgument, match="prot"):
        settings.load("toy", Toy, [])


def test_an_unknown_flag_ends_with_exit_code_2(
    cluster: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        settings.load("toy", Toy, ["--prot", "1"])
    assert ended.value.code == 2
    assert "--prot" in capsys.readouterr().err


def test_describe_shows_value_and_origin(cluster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_TOY__SLOTS", "3")
    lines = settings.describe(*settings.load("toy", Toy, [])).splitlines()
    assert "slots = 3  (environment)" in lines
    assert "port = 50099  (default)" in lines


def test_settings_cannot_be_changed_later(cluster: Path) -> None:
    values, _ = settings.load("toy", Toy, [])
    with pytest.raises(ValueError, match="frozen"):
        values.port = 1
