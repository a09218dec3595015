"""supervisord of one cluster: start it, ask it, end it. It lives as long as its cluster does."""

from __future__ import annotations

import hashlib
import http.client
import os
import stat
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from lab import folders
from lab.errors import LabError, PreconditionFailed

# In the order of starting, as in configs/cluster/local.conf.
PROGRAMS = ("nats", "checkpoint", "trainer", "inference", "gateway")

SOCKET_PATH_BYTES = 90  # the system's limit is 108, and supervisord adds its pid while binding
START_DEADLINE_SECS = 15.0
STOP_DEADLINE_SECS = 120.0
POLL_SECS = 0.1


@dataclass(frozen=True)
class Program:
    """One process of the cluster as supervisord sees it."""

    name: str
    state: str  # RUNNING, STARTING, BACKOFF, EXITED, FATAL, STOPPED, STOPPING
    pid: int
    description: str
    stopped_at_secs: int


class Supervision:
    """The supervisord that keeps the cluster of one data folder."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._socket = socket_path(home)

    def running(self) -> bool:
        """Whether it answers; a stale socket or pid file of a crash counts for nothing."""
        return self._ask(lambda server: server.supervisor.getPID()) is not None

    def programs(self) -> list[Program]:
        """Every program; empty when supervisord is not running."""
        found = self._ask(lambda server: server.supervisor.getAllProcessInfo()) or []
        programs = [
            Program(
                name=info["name"],
                state=info["statename"],
                pid=info["pid"],
                # supervisord says "pid 4711, uptime 0:00:05" of one that runs; the pid is known.
                description=info["description"].rpartition("uptime ")[2],
                stopped_at_secs=info["stop"],
            )
            for info in found
        ]
        return sorted(programs, key=lambda program: PROGRAMS.index(program.name))

    def start(self, environment: Mapping[str, str]) -> None:
        """Starts supervisord with all programs; raises LabError with its words if it refuses."""
        self._socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        command = [sys.executable, "-m", "supervisor.supervisord"]
        command += ["-c", str(folders.configs() / "cluster" / "local.conf")]
        done = subprocess.run(
            command,
            env=folders.child_environment(LAB_SOCKET=str(self._socket), **environment),
            cwd=folders.checkout(),
            capture_output=True,
            text=True,
            errors="replace",
        )
        if done.returncode:
            words = (done.stderr or done.stdout).strip().splitlines()
            raise LabError(f"supervisord did not start: {words[-1] if words else 'no reason'}")
        if not _within(START_DEADLINE_SECS, self.running):
            raise LabError(
                f"supervisord does not answer; see {self._home / 'logs' / 'supervisord.log'}"
            )

    def start_stopped(self) -> list[str]:
        """Starts programs that had given up or were stopped; answers their names."""
        resting = [
            program.name
            for program in self.programs()
            if program.state in ("EXITED", "FATAL", "STOPPED")
        ]
        for name in resting:
            self._ask(lambda server, name=name: server.supervisor.startProcess(name, False))  # type: ignore[misc]
        return resting

    def stop(self) -> bool:
        """Ends every program, then supervisord; False when nothing was running."""
        pid = self._ask(lambda server: server.supervisor.getPID())
        if pid is None:
            return False
        self._ask(lambda server: server.supervisor.shutdown())
        if not _within(STOP_DEADLINE_SECS, lambda: not _alive(pid)):
            raise LabError(
                f"supervisord (pid {pid}) is still ending after {STOP_DEADLINE_SECS:.0f} s"
            )
        return True

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        """The answer, or None when supervisord is not there."""
        from supervisor.xmlrpc import SupervisorTransport

        if not self._socket.exists():
            return None
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        server = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
        try:
            return question(server)
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return None
        finally:
            transport.close()


def socket_path(home: Path) -> Path:
    """Under the data folder; under the temp folder when that path is too long for a socket."""
    path = home / "run" / "supervisor.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
        return path
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"lab-{os.getuid()}-{digest}"
    if folder.exists():
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise PreconditionFailed(
                f"{folder} belongs to someone else; set LAB_HOME to a shorter path"
            )
    return folder / "supervisor.sock"


def _within(deadline_secs: float, condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + deadline_secs
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(POLL_SECS)
    return True


def _alive(pid: int) -> bool:
    """A dead process nobody has collected, as in a container without an init, is not alive."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
