"""What stops `lab up` is told with its name and the way out, and nothing is left running."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from lab.cli.cluster import ports
from lab.cli.cluster.supervision import SOCKET_PATH_BYTES, socket_path
from tests.shared.cli.conftest import Lab

pytestmark = pytest.mark.integration


def test_a_busy_port_is_named_with_the_process_that_holds_it(lab: Lab, home: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        done = lab("up", LAB_INFERENCE__PORT=str(port))
    assert done.returncode == 1
    assert f"inference needs 127.0.0.1:{port}" in done.stderr
    assert f"pid {os.getpid()}" in done.stderr
    assert ports.leftovers(home) == []


def test_a_data_folder_that_cannot_be_written_is_named(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = lab("up", LAB_HOME=str(tmp_path / "file" / "home"))
    assert done.returncode == 1
    assert str(tmp_path / "file" / "home") in done.stderr
    assert "LAB_HOME" in done.stderr


def test_a_service_that_cannot_start_is_shown_with_its_log_and_all_is_stopped(
    lab: Lab, home: Path
) -> None:
    done = lab("up", LAB_TRAINER__SLOTS="0")
    assert done.returncode == 1
    assert "trainer is not ready" in done.stderr
    assert "trainer.slots" in done.stdout  # its own words
    assert ports.leftovers(home) == []
    assert lab("ps").returncode == 1


def test_a_long_data_folder_has_a_short_socket() -> None:
    short, long = Path("/tmp/lab"), Path("/tmp") / ("x" * 120)
    assert socket_path(short) == short / "run" / "supervisor.sock"
    assert len(os.fsencode(socket_path(long))) <= SOCKET_PATH_BYTES
    assert socket_path(long) != socket_path(long / "y")
