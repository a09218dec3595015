"""A whole cluster by the `lab` command: up twice, a crash of its supervisor, down twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lab.cli import ports
from lab.cli.supervision import PROGRAMS, Supervision
from tests.support.cluster import Cluster, until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("a lab")) as started:
        yield started


def supervisor_pid(home: Path) -> int:
    found = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if "supervisor.supervisord" in (process.info["cmdline"] or ())
        and process.environ().get("LAB_HOME") == str(home)
    ]
    assert len(found) == 1, found
    return found[0]


def test_everything_is_ready_and_says_so(cluster: Cluster) -> None:
    status = cluster.lab("status")
    for name in PROGRAMS:
        (line,) = (line for line in status.stdout.splitlines() if line.startswith(name))
        assert line.split()[1] == "ready"
    running = cluster.lab("ps").stdout.splitlines()
    assert sum(" running " in line for line in running) == len(PROGRAMS)


def test_a_second_up_changes_nothing(cluster: Cluster) -> None:
    before = {program.name: program.pid for program in Supervision(cluster.home).programs()}
    done = cluster.lab("up")
    assert "was already running" in done.stdout
    assert before == {program.name: program.pid for program in Supervision(cluster.home).programs()}


def test_logs_are_the_lines_of_the_service(cluster: Cluster) -> None:
    done = cluster.lab("logs", "checkpoint", "--lines", "500")
    assert '"msg": "listening"' in done.stdout
    assert '"service": "checkpoint"' in done.stdout


def test_only_loopback_is_listened_on(cluster: Cluster) -> None:
    listeners = {
        connection.laddr.ip
        for program in Supervision(cluster.home).programs()
        for connection in psutil.Process(program.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listeners == {"127.0.0.1"}


def test_a_killed_service_comes_back(cluster: Cluster) -> None:
    killed = cluster.pid("inference")
    cluster.kill("inference")
    cluster.lab("status", "--wait")
    assert cluster.pid("inference") != killed


def test_up_after_a_crash_of_the_supervisor_ends_the_orphans_and_works(cluster: Cluster) -> None:
    supervisor = supervisor_pid(cluster.home)
    orphans = {program.pid for program in Supervision(cluster.home).programs()}
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: not Supervision(cluster.home).running(), secs=10, what="the supervisor is gone")
    done = cluster.lab("up")
    assert "ready in" in done.stdout
    now = {program.pid for program in Supervision(cluster.home).programs()}
    assert not orphans & now
    assert not any(psutil.pid_exists(pid) and _alive(pid) for pid in orphans)


def test_down_leaves_nothing_and_may_be_repeated(cluster: Cluster) -> None:
    assert cluster.lab("down").stdout == "stopped\n"
    assert ports.leftovers(cluster.home) == []
    assert cluster.lab("down").stdout == "no cluster was running\n"
    assert cluster.lab("status", check=False).returncode == 1


def _alive(pid: int) -> bool:
    return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
