"""What is saved and stays or goes: marks, deletes, restores, and empties the trash by age.

A delete is one rename into the trash and a restore one rename back, so neither is ever half done.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable
from pathlib import Path

import structlog

from lab import manifest
from lab.errors import AlreadyExists, NotFound, PreconditionFailed
from lab.v1.checkpoint_service_pb2 import UpdateCheckpointRequest
from services.checkpoint import disk_errors
from services.checkpoint.shelf import marks
from services.checkpoint.shelf.layout import Layout
from services.checkpoint.shelf.trash import Trash, Trashed

log = structlog.get_logger()


class Shelf:
    """Shares its lock with Blobs: held for renames and marks, never for bulk bytes."""

    def __init__(self, layout: Layout, trash: Trash, lock: threading.Lock) -> None:
        self._layout = layout
        self._trash = trash
        self._lock = lock

    def mark(self, request: UpdateCheckpointRequest) -> None:
        """Raises NotFound, InvalidArgument."""
        with self._lock:
            folder = self._layout.find_checkpoint(request.name)
            with disk_errors.named():
                marks.write(folder, marks.changed(marks.read(folder), request))

    def delete(self, name: str, *, permanently: bool = False) -> Trashed | None:
        """Takes the name away; says where in the trash it is now, or None when it is gone.

        Readers that have files open finish. Raises NotFound, and PreconditionFailed when pinned.
        """
        doomed: list[Path] = []
        kept: Trashed | None = None
        with self._lock:
            if self._layout.is_peek(name):
                doomed = self._hide_peek(name)
            elif not permanently and self._trash.keep_secs > 0:
                kept = self._to_trash(name)
            else:
                doomed = self._hide_all(name)
        for folder in doomed:
            shutil.rmtree(folder)
        return kept

    def restore(self, name: str) -> None:
        """Raises NotFound when it is not in the trash, AlreadyExists when its name is taken."""
        with self._lock:
            entry = self._trash.of(name)[-1]
            destination = self._layout.destination(name)
            if destination.exists():
                raise AlreadyExists(
                    f"{name} was saved again after it was deleted; delete that one first",
                    metadata={"name": name},
                )
            destination.parent.mkdir(exist_ok=True)
            manifest.sync_folder(destination.parent.parent)
            entry.folder.rename(destination)
            manifest.sync_folder(destination.parent)
            manifest.sync_folder(self._trash.folder)

    def empty_expired(self) -> list[str]:
        """Removes for good what was long enough in the trash; says the names."""
        return self._discard(self._trash.expired())

    def make_room(self, missing_bytes: int) -> None:
        """Empties the trash, oldest first, as far as it takes; not at all when it is not enough."""
        sized = [(entry, entry.size_bytes()) for entry in self._trash.entries()]
        if sum(size for _, size in sized) < missing_bytes:
            return
        for entry, size in sized:
            if missing_bytes <= 0:
                return
            if self._discard([entry]):
                log.info("out of the trash early: the disk is full", checkpoint=entry.name)
            missing_bytes -= size

    def _discard(self, entries: Iterable[Trashed]) -> list[str]:
        gone: list[str] = []
        for entry in entries:
            with self._lock:
                if not entry.folder.exists():
                    continue  # restored meanwhile
                doomed = self._hidden(entry.folder, entry.name)
            shutil.rmtree(doomed)
            gone.append(entry.name)
        return gone

    def _to_trash(self, name: str) -> Trashed:
        folder = self._layout.find(name)
        self._refuse_pinned(name, folder)
        self._trash.folder.mkdir(exist_ok=True)
        place = self._trash.place(name)
        folder.rename(place)
        manifest.sync_folder(self._trash.folder)
        self._left(folder)
        return next(entry for entry in self._trash.of(name) if entry.folder == place)

    def _hide_all(self, name: str) -> list[Path]:
        """The checkpoint and everything of its name in the trash; raises NotFound for neither."""
        try:
            folder = self._layout.find(name)
        except NotFound:
            return [self._hidden(entry.folder, name) for entry in self._trash.of(name)]
        self._refuse_pinned(name, folder)
        older = [entry for entry in self._trash.entries() if entry.name == name]
        hidden = [self._hidden(each, name) for each in (folder, *(one.folder for one in older))]
        self._left(folder)
        return hidden

    def _hide_peek(self, name: str) -> list[Path]:
        folder = self._layout.find(name)
        hidden = [self._hidden(each, name) for each in self._layout.peek_folders(name)]
        self._left(folder)
        return hidden

    def _hidden(self, folder: Path, name: str) -> Path:
        hidden = self._layout.temporary(name)
        folder.rename(hidden)
        return hidden

    def _refuse_pinned(self, name: str, folder: Path) -> None:
        if marks.read(folder).pinned:
            raise PreconditionFailed(
                f"{name} is pinned, so it is not deleted; unpin it first", metadata={"name": name}
            )

    def _left(self, folder: Path) -> None:
        """Makes its absence last, and removes the run's folder when it was the last one."""
        manifest.sync_folder(folder.parent)
        if not any(folder.parent.iterdir()):
            folder.parent.rmdir()
