"""What checkpoints there are. The manifests on disk, and the marks beside them, are the record.

A listing stats each manifest and parses those that changed, so a folder that was removed or put
back by hand is never misreported, and no weight file is opened.
"""

import base64
import binascii
import threading
from pathlib import Path

import structlog

from lab import manifest
from lab.errors import Damaged, InvalidArgument
from lab.names import run_id
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.checkpoint_service_pb2 import UnreadableCheckpoint
from services.checkpoint.shelf import marks, verdicts
from services.checkpoint.shelf.layout import Layout
from services.checkpoint.shelf.trash import Trash

log = structlog.get_logger()


class Catalog:
    """Reads run in threads; the lock covers only the table of parsed manifests."""

    def __init__(self, layout: Layout, trash: Trash) -> None:
        self._layout = layout
        self._trash = trash
        self._parsed: dict[Path, tuple[Stamp, Checkpoint]] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Checkpoint:
        """Raises NotFound, or Damaged when its manifest cannot be read."""
        while True:
            folder = self._layout.find(name)
            try:
                return self.read(name, folder)
            except Damaged:
                if folder.is_dir():
                    raise  # else it was deleted or replaced meanwhile: look again

    def read(self, name: str, folder: Path) -> Checkpoint:
        """The manifest in `folder`, which must be the one of `name`."""
        try:
            status = (folder / manifest.MANIFEST).stat()
        except FileNotFoundError:
            return manifest.read(folder)  # says what is missing
        stamp = (status.st_mtime_ns, status.st_ino, *_stamp_beside(folder))
        with self._lock:
            known = self._parsed.get(folder)
        if known is not None and known[0] == stamp:
            return known[1]
        checkpoint = manifest.read(folder)
        if checkpoint.name != name:
            raise Damaged(f"the {manifest.MANIFEST} of {name} is that of {checkpoint.name}")
        checkpoint = marks.lay(checkpoint, marks.read(folder))
        checkpoint.MergeFrom(verdicts.read(folder))
        with self._lock:
            self._parsed[folder] = (stamp, checkpoint)
        return checkpoint

    def in_trash(self, run: str = "") -> list[Checkpoint]:
        """What can be restored of `runs/{run}`, or of all; the newest of each name."""
        if run:
            run_id(run)
        found: dict[str, Checkpoint] = {}
        for entry in self._trash.entries(run):
            try:
                found[entry.name] = self._trash.dated(self.read(entry.name, entry.folder), entry)
            except Damaged as error:
                log.info("trash not listed", checkpoint=entry.name, detail=error.message)
        return list(found.values())

    def all(self, run: str = "") -> list[Checkpoint]:
        """Every checkpoint of `runs/{run}`, or of all when empty."""
        return self.look(run)[0]

    def look(self, run: str = "") -> tuple[list[Checkpoint], list[UnreadableCheckpoint]]:
        """The same, and what should be a checkpoint and is none."""
        listed = list(self._layout.listed(run))
        found: list[Checkpoint] = []
        unreadable: list[UnreadableCheckpoint] = []
        for name, folder in listed:
            try:
                found.append(self.read(name, folder))
            except Damaged as error:
                if folder.exists():
                    unreadable.append(UnreadableCheckpoint(name=name, why=error.message))
        if not run:
            trashed = {entry.folder for entry in self._trash.entries()}
            self._forget_all_but(trashed | {folder for _, folder in listed})
        return found, unreadable

    def _forget_all_but(self, folders: set[Path]) -> None:
        with self._lock:
            for gone in [path for path in self._parsed if path not in folders]:
                del self._parsed[gone]


def page_of(found: list[Checkpoint], *, size: int, token: str) -> tuple[list[Checkpoint], str]:
    """One page of them, newest first, and the token of the next."""
    after = _position(token) if token else None
    rest = sorted(found, key=_age)
    if after is not None:
        rest = [checkpoint for checkpoint in rest if _age(checkpoint) > after]
    page = rest[:size]
    return page, _token(_age(page[-1])) if len(rest) > size else ""


Stamp = tuple[int, ...]  # changes when the manifest, the marks or the verdict do
Age = tuple[int, str]  # sorts the newest first; the name settles a tie


def _stamp_beside(folder: Path) -> tuple[int, ...]:
    """Of the marks and the verdict, each of which may be absent."""
    stamp: list[int] = []
    for name in (marks.MARKS, verdicts.VERDICT):
        try:
            status = (folder / name).stat()
        except FileNotFoundError:
            stamp.append(0)
        else:
            stamp += (status.st_mtime_ns, status.st_ino)
    return tuple(stamp)


def _age(checkpoint: Checkpoint) -> Age:
    return -checkpoint.create_time.ToNanoseconds(), checkpoint.name


def _token(age: Age) -> str:
    return base64.urlsafe_b64encode(f"{age[0]} {age[1]}".encode()).decode()


def _position(token: str) -> Age:
    try:
        nanoseconds, name = base64.urlsafe_b64decode(token).decode().split(" ")
        return int(nanoseconds), name
    except (ValueError, binascii.Error) as error:
        raise InvalidArgument.field(
            "page_token", "must be the next_page_token of the page before, or empty"
        ) from error
