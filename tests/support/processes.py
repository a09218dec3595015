"""Whether processes have ended, those included whose parent is gone and that nobody waits for."""

import time
from collections.abc import Sequence

import psutil


def ended(process: psutil.Process) -> bool:
    """A zombie has ended, too: in a container there may be nobody to bury it."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def all_end(processes: Sequence[psutil.Process], *, secs: float = 30.0) -> bool:
    """Waits for it, but not longer than that."""
    deadline = time.monotonic() + secs
    while not all(ended(process) for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
