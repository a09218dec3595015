"""Whether a port is free, and what a crash of this cluster left running."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable
from pathlib import Path

import psutil

ENDING_SECS = 20.0


def is_free(address: str) -> bool:
    """Whether HOST:PORT can be listened on now."""
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), int(port)))
        except OSError:
            return False
    return True


def leftovers(home: Path) -> list[psutil.Process]:
    """Programs of this very cluster that outlived their supervisord."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except psutil.Error:  # not ours, or gone by now
            continue
        if "LAB_PROGRAM" in environment and environment.get("LAB_HOME") == str(home):
            found.append(process)
    return found


def end(processes: Iterable[psutil.Process]) -> None:
    """Asks them to end, and ends those that do not listen."""
    waiting = list(processes)
    for process in waiting:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, deaf = psutil.wait_procs(waiting, timeout=ENDING_SECS)
    for process in deaf:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(deaf, timeout=ENDING_SECS)
