"""A whole cluster by the `lab` command: up twice, a crash of its supervisor, down twice."""

from __future__ import annotations

import csv
import io
import ipaddress
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from safetensors.numpy import load_file

from lab.cli.cluster import ports
from lab.cli.cluster.supervision import PROGRAMS, Supervision
from tests.support.cluster import Cluster, until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


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
        ipaddress.ip_address(connection.laddr.ip.removeprefix("::ffff:"))  # IPv4 seen by IPv6
        for program in Supervision(cluster.home).programs()
        for connection in psutil.Process(program.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert len(listeners) >= 1
    assert [str(address) for address in listeners if not address.is_loopback] == []


# As small as a model can be: the test is about the command.
TINY = [
    *("--config", "nano", "--corpus", "tiny-shakespeare", "--batch", "2"),
    *(
        flag
        for setting in (
            *("model.layers=2", "model.width=32", "model.heads=2", "model.context=32"),
            *("hooks.sample_every=0", "budget.threads=1"),
        )
        for flag in ("--set", setting)
    ),
]


def test_a_run_is_followed_to_its_end_saved_and_looked_into(cluster: Cluster) -> None:
    started = ("runs", "start", *TINY, "--steps", "30", "--name", "tiny")
    done = cluster.lab(*started, "--save", "--save-every", "10", "--watch")
    last = next(line for line in reversed(done.stdout.splitlines()) if "succeeded" in line)
    assert "step 30/30" in last
    run = json.loads(cluster.lab("runs", "show", "tiny", "--json").stdout)
    assert run["state"] == "RUN_STATE_SUCCEEDED"

    assert "tiny" in cluster.lab("runs", "list").stdout

    def saved() -> bool:
        listed = cluster.lab("checkpoints", "list", "tiny").stdout
        return all(f"step-000000{step}" in listed for step in (10, 30))

    until(saved, secs=60, what="its checkpoints are listed")
    assert "is whole" in cluster.lab("checkpoints", "verify", "tiny@30").stdout

    # One seed for both, also where it is left to chance: one model twice writes one text twice.
    asked = ("generate", "tiny", "--compare", "tiny@30", "--prompt", "O", "--max-tokens", "8")
    written = cluster.lab(*asked).stdout
    half = len(written) // 2
    assert written[:half] == written[half:]
    assert written.startswith("O")

    maps = cluster.lab("attention", "tiny@30", "--text", "To be, or not", "--csv", "-").stdout
    rows = [[float(cell) for cell in row[1:]] for row in list(csv.reader(io.StringIO(maps)))[1:]]
    assert len(rows) > 2
    for query, row in enumerate(rows):
        assert sum(row) == pytest.approx(1, abs=1e-4)
        assert all(weight == 0 for weight in row[query + 1 :])
    _look_inside(cluster)


def _look_inside(cluster: Cluster) -> None:
    """Each question by its command, of a checkpoint; files that other programs open."""
    read = ("tiny@30", "--text", "To be, or not to be")
    losses = cluster.lab("tokens", *read, "--start", "--csv", "-").stdout
    rows = list(csv.reader(io.StringIO(losses)))
    assert rows[0] == ["token", "loss", "rank", "expected"]
    assert [row[0] for row in rows[1:]][:3] == ["<|endoftext|>", "To", " be"]
    assert all(float(row[1]) > 0 for row in rows[2:])
    assert "what the model says" in cluster.lab("lens", *read).stdout
    assert "after feed-forward" in cluster.lab("activations", *read).stdout
    assert "the parts add up" in cluster.lab("votes", *read).stdout
    assert "neuron" in cluster.lab("maxima", *read).stdout
    assert "unlabelled" in cluster.lab("heads", "tiny@30").stdout
    assert "principal components" in cluster.lab("embedding", *read).stdout
    compared = cluster.lab("weights", "tiny@30", "--compare", "tiny@30", "--csv", "-").stdout
    table = list(csv.DictReader(io.StringIO(compared)))
    assert {row["change"] for row in table} == {"0.0000"}
    folder = cluster.home / "looked"
    folder.mkdir()
    options = ("--png", str(folder / "a.png"), "--safetensors", str(folder / "a.safetensors"))
    cluster.lab("attention", *read, "--kind", "value-weighted", "--hide-sink", *options)
    assert (folder / "a.png").read_bytes().startswith(b"\x89PNG")
    assert load_file(folder / "a.safetensors")["weights"].ndim == 4


def test_a_run_is_paused_stepped_peeked_and_stopped(cluster: Cluster) -> None:
    cluster.lab("runs", "start", *TINY, "--steps", "100000", "--name", "steered")
    until(lambda: cluster.step_of("steered") > 2, secs=60, what="it trains")
    cluster.lab("runs", "pause", "steered")
    paused = "RUN_STATE_PAUSED"
    until(lambda: cluster.run("steered")["state"] == paused, secs=20, what="it is paused")
    step = cluster.step_of("steered")
    cluster.lab("runs", "step", "steered", "3")
    until(lambda: cluster.step_of("steered") == step + 3, secs=20, what="three steps were made")
    until(lambda: cluster.run("steered")["state"] == paused, secs=20, what="it is paused again")

    hostile = "\x1b[31mO"  # would turn the terminal red
    looked = cluster.lab("generate", "steered", "--prompt", hostile, "--max-tokens", "2")
    assert f"at step {step + 3}" in looked.stderr
    assert looked.stdout.startswith("\\x1b[31mO")
    assert "no checkpoints" in cluster.lab("checkpoints", "list", "steered").stdout

    cluster.lab("runs", "stop", "steered", "--no-save")
    ended = cluster.lab("runs", "watch", "steered")
    assert "stopped" in ended.stdout
    refused = cluster.lab("runs", "pause", "steered", check=False)
    assert refused.returncode == 1
    assert "allowed:" in refused.stderr
    assert "lab runs restore steered" in cluster.lab("runs", "delete", "steered", "--yes").stdout
    assert "steered" not in cluster.lab("runs", "list").stdout
    assert "steered" in cluster.lab("runs", "list", "--trash").stdout
    assert "restored runs/steered" in cluster.lab("runs", "restore", "steered").stdout
    assert cluster.lab("runs", "queue").stdout == "nobody waits\n"
    cluster.lab("runs", "delete", "steered", "--yes", "--permanently")
    assert cluster.lab("runs", "show", "steered", check=False).returncode == 2


def test_watching_a_run_whose_worker_dies_ends_with_1_and_the_reason(cluster: Cluster) -> None:
    cluster.lab("runs", "start", *TINY, "--steps", "100000", "--name", "doomed")
    until(lambda: cluster.step_of("doomed") > 0, secs=60, what="it trains")
    (worker,) = cluster.worker_pids()
    os.kill(worker, signal.SIGKILL)
    done = cluster.lab("runs", "watch", "doomed", check=False)
    assert done.returncode == 1
    assert "interrupted" in done.stdout
    assert "SIGKILL" in done.stdout or "signal 9" in done.stdout


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
