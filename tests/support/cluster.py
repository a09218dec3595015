"""A whole lab of a test's own: the five processes as `lab up` starts them, on free ports."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

from lab import folders
from tests.support.nats import free_port

T = TypeVar("T")

UP_SECS = 120


def until(condition: Callable[[], T], *, secs: float, what: str) -> T:
    """The first true answer of `condition`; fails after `secs`. For tests without an event loop,
    which tests.support.waiting is for."""
    deadline = time.monotonic() + secs
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"did not happen within {secs} s: {what}"
        time.sleep(0.05)


class Cluster:
    """`with Cluster(home) as cluster`. `kill` ends one process with -9, as a fault would."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port, self.second_port = free_port(), free_port()
        trainer, inference, checkpoint, nats = (free_port() for _ in range(4))
        self.metrics_ports = {name: free_port() for name in ("trainer", "inference", "checkpoint")}
        self.environment = {
            **os.environ,  # noqa: TID251 (a child needs PATH and the like)
            "LAB_HOME": str(home),
            "LAB_ALL__NATS_URL": f"nats://127.0.0.1:{nats}",
            "LAB_ALL__TRAINER_ADDRESS": f"127.0.0.1:{trainer}",
            "LAB_ALL__INFERENCE_ADDRESS": f"127.0.0.1:{inference}",
            "LAB_ALL__CHECKPOINT_ADDRESS": f"127.0.0.1:{checkpoint}",
            "LAB_TRAINER__PORT": str(trainer),
            "LAB_INFERENCE__PORT": str(inference),
            "LAB_CHECKPOINT__PORT": str(checkpoint),
            **{
                f"LAB_{name.upper()}__METRICS_PORT": str(port)
                for name, port in self.metrics_ports.items()
            },
            "LAB_GATEWAY__PORTS": f"[{self.port}, {self.second_port}]",
        }
        self.address = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=self.address, timeout=30)

    def lab(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """The `lab` command, against this cluster."""
        done = subprocess.run(
            [sys.executable, "-m", "lab", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=UP_SECS,
        )
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    def pid(self, program: str) -> int:
        """Of a process of the cluster that runs; supervisord names it in its own environment."""
        mine = self._pids(program)
        assert len(mine) == 1, f"{program}: {mine}"
        return mine[0]

    def _pids(self, program: str) -> list[int]:
        found = []
        for process in psutil.process_iter():
            try:
                environment = process.environ()
                parent = process.parent()
                supervised = parent is not None and "supervisord" in " ".join(parent.cmdline())
            except psutil.Error:
                continue
            if (
                supervised
                and environment.get("LAB_HOME") == str(self.home)
                and environment.get("LAB_PROGRAM") == program
            ):
                found.append(process.pid)
        return found

    def worker_pids(self) -> list[int]:
        """The training workers under this cluster's trainer."""
        children = psutil.Process(self.pid("trainer")).children(recursive=True)
        return [one.pid for one in children if "services.trainer.worker" in one.cmdline()]

    def kill(self, program: str) -> None:
        """kill -9; supervisord starts it again. Returns when it is gone."""
        pid = self.pid(program)
        os.kill(pid, signal.SIGKILL)
        until(lambda: not psutil.pid_exists(pid), secs=5, what=f"{program} {pid} gone")

    def run(self, run_id: str) -> dict[str, Any]:
        answer = self.http.get(f"/api/runs/{run_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()["run"]  # type: ignore[no-any-return]

    def step_of(self, run_id: str) -> int:
        return int(self.run(run_id).get("stats", {}).get("step", 0))

    def start_run(self, **spec: Any) -> str:
        """A nano run on the verdict or tiny-shakespeare; answers its id."""
        answer = self.http.post("/api/runs", json={"preset": "nano", "overrides": spec})
        assert answer.status_code == 200, answer.text
        return answer.json()["run"]["name"].removeprefix("runs/")  # type: ignore[no-any-return]

    def stop_runs(self) -> None:
        """Ends every run that is not at rest."""
        for run in self.http.get("/api/runs").json().get("runs", []):
            if "RUN_VERB_STOP" in run.get("allowedVerbs", []):
                run_id = run["name"].removeprefix("runs/")
                self.verb(run_id, "stop")
                until(partial(self._at_rest, run_id), secs=30, what=f"{run_id} at rest")

    def _at_rest(self, run_id: str) -> bool:
        return bool(self.run(run_id).get("endTime"))

    def verb(self, run_id: str, verb: str, **body: Any) -> httpx.Response:
        return self.http.post(f"/api/runs/{run_id}:{verb}", json=body)

    def __enter__(self) -> Cluster:
        assets = folders.home() / "assets"
        if assets.is_dir():  # the machine has them: no need to fetch them again
            shutil.copytree(assets, self.home / "assets")
        self.lab("assets", "fetch", "--optional", "the-verdict")
        self.lab("up")
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.lab("down", check=False)
