"""Deleted checkpoints, kept for a while. The time of the deletion is in the name of the folder, so
that one rename both deletes and dates.

checkpoints/.trash/<run>~<checkpoint>~<milliseconds>~<nonce>/
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.errors import InvalidArgument, NotFound
from lab.names import checkpoint_ids
from lab.v1.checkpoint_pb2 import Checkpoint

NAME: Final = ".trash"
_BETWEEN = "~"  # in no id


@dataclass(frozen=True)
class Trashed:
    """One deleted checkpoint."""

    name: str
    folder: Path
    deleted_ms: int

    def size_bytes(self) -> int:
        try:
            return sum(path.stat().st_size for path in self.folder.iterdir())
        except FileNotFoundError:  # restored or emptied meanwhile
            return 0


class Trash:
    """Names and ages only; the renames are made by Shelf, which holds the lock."""

    def __init__(self, folder: Path, *, keep_secs: float) -> None:
        self.folder = folder
        self.keep_secs = keep_secs

    def place(self, name: str) -> Path:
        """A new folder name for what is deleted now."""
        run, checkpoint = checkpoint_ids(name)
        assert checkpoint is not None, "peeks do not go to the trash"
        parts = (run, checkpoint, f"{int(time.time() * 1000):013d}", secrets.token_hex(4))
        return self.folder / _BETWEEN.join(parts)

    def entries(self, run: str = "") -> list[Trashed]:
        """What is in the trash of `runs/{run}`, or of all when empty, oldest deletion first."""
        if not self.folder.is_dir():
            return []
        found = [entry for path in self.folder.iterdir() if (entry := _entry(path)) is not None]
        if run:
            found = [entry for entry in found if entry.name.startswith(f"{run}/")]
        return sorted(found, key=lambda entry: (entry.deleted_ms, entry.folder.name))

    def of(self, name: str) -> list[Trashed]:
        """All that had this name, deleted last comes last; raises NotFound when none did."""
        found = [entry for entry in self.entries() if entry.name == name]
        if not found:
            raise NotFound(
                f"{name} is not in the trash; what was deleted stays there for "
                f"{self.keep_secs / 86_400:g} days at most",
                metadata={"name": name},
            )
        return found

    def expired(self) -> list[Trashed]:
        limit_ms = (time.time() - self.keep_secs) * 1000
        return [entry for entry in self.entries() if entry.deleted_ms <= limit_ms]

    def dated(self, checkpoint: Checkpoint, entry: Trashed) -> Checkpoint:
        """A copy that says since when and until when it is in the trash."""
        dated = Checkpoint()
        dated.CopyFrom(checkpoint)
        dated.delete_time.FromMilliseconds(entry.deleted_ms)
        dated.expire_time.FromMilliseconds(entry.deleted_ms + int(self.keep_secs * 1000))
        return dated


def _entry(path: Path) -> Trashed | None:
    """None for what is not ours."""
    match path.name.split(_BETWEEN):
        case [run, checkpoint, deleted_ms, _] if deleted_ms.isdecimal() and path.is_dir():
            name = f"runs/{run}/checkpoints/{checkpoint}"
            try:
                checkpoint_ids(name)
            except InvalidArgument:
                return None
            return Trashed(name, path, int(deleted_ms))
    return None
