"""Who may write of a run: the highest claim seen, one small file per run. A stale worker that wakes
up after its run was given to another can add nothing; a lock alone cannot promise that.

checkpoints/.fences/<run>     stays when the run's checkpoints go
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final

from lab import manifest
from lab.errors import Damaged, PreconditionFailed
from lab.names import run_id
from services.checkpoint import disk_errors

NAME: Final = ".fences"


class Fences:
    """A higher claim is on disk before the call that brought it returns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, int] = {}
        self._lock = threading.Lock()

    def claim(self, run: str, token: int) -> None:
        """Remembers `token` for `runs/{run}`; raises PreconditionFailed when a higher one came
        before. 0 is no claim: refused only where there is one."""
        with self._lock:
            highest = self._highest(run)
            if token < highest:
                raise PreconditionFailed(
                    f"{run} was claimed by another owner since (claim {highest}, this is {token}); "
                    "nothing was stored, this worker should end",
                    metadata={"run": run, "claim": str(token), "highest": str(highest)},
                )
            if token > highest:
                with disk_errors.named():
                    self._write(run, token)
                self._seen[run] = token

    def _highest(self, run: str) -> int:
        if run not in self._seen:
            try:
                self._seen[run] = int((self._folder / run_id(run)).read_text())
            except FileNotFoundError:
                self._seen[run] = 0
            except ValueError as error:  # cannot be told, so nobody is let through
                raise Damaged(
                    f"the record of who may write {run} cannot be read; remove its file in "
                    f"checkpoints/{NAME} once no old worker can be alive"
                ) from error
        return self._seen[run]

    def _write(self, run: str, token: int) -> None:
        self._folder.mkdir(exist_ok=True)
        path = self._folder / run_id(run)
        temporary = self._folder / f".{path.name}.tmp"
        with temporary.open("w") as file:
            file.write(str(token))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        manifest.sync_folder(self._folder)
        manifest.sync_folder(self._folder.parent)
