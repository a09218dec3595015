"""Takes checkpoints in: always whole or not at all.

A write is staged in a temporary folder, synced, and gets its name by one rename. What a crash
leaves in between is removed at the next start.
"""

import fcntl
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

from lab import manifest
from lab.errors import AlreadyExists, Code, Damaged, LabError, Unavailable
from lab.names import checkpoint_ids, run_name
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.error_pb2 import ErrorReason
from services.checkpoint import disk_errors
from services.checkpoint.intake.fences import Fences
from services.checkpoint.intake.rules import check_header
from services.checkpoint.intake.staging import Staging
from services.checkpoint.shelf.layout import Layout


class Blobs:
    """The bytes under one home folder. One process at a time: a lock file sees to it."""

    def __init__(
        self,
        layout: Layout,
        fences: Fences,
        *,
        max_checkpoint_bytes: int,
        free_space_floor_bytes: int,
        max_uploads: int,
        lock: threading.Lock,
        make_room: Callable[[int], None],
    ) -> None:
        """`lock` is held for renames and bookkeeping, never for bulk bytes. `make_room` is given
        the bytes that are missing, and frees them if it can."""
        self._layout = layout
        self._fences = fences
        self._make_room = make_room
        self._max_checkpoint_bytes = max_checkpoint_bytes
        self._floor_bytes = free_space_floor_bytes
        self._max_uploads = max_uploads
        self._open: set[Staging] = set()
        self._lock = lock
        self._owned: IO[bytes] | None = None

    def start(self) -> int:
        """Takes the folder over and removes what a crash left; says how many folders that were."""
        self._layout.prepare()
        self._owned = (self._layout.checkpoints / ".lock").open("wb")
        try:
            fcntl.flock(self._owned, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise Unavailable(
                "another checkpoint service uses this home folder; stop it or set another home"
            ) from error
        leftovers = self._layout.leftovers()
        for folder in leftovers:
            shutil.rmtree(folder)
        return len(leftovers)

    def close(self) -> None:
        if self._owned is not None:
            self._owned.close()

    def find_same(self, header: Checkpoint) -> Checkpoint | None:
        """The checkpoint that is already there, if the header's digests say it is the same one.

        Raises AlreadyExists if they say it is another one, PreconditionFailed for a stale claim.
        """
        check_header(header, max_bytes=self._max_checkpoint_bytes)
        self._claim(header)
        if not all(file.sha256 for file in header.files):
            return None
        with self._lock:
            return self._same_or_refused(header.name, manifest.digest(header.files))

    def begin(self, header: Checkpoint, *, returning: bool = False) -> Staging:
        """A place for the files of `header`; refuses what cannot be taken before any byte of it.
        `returning` is what was here before and comes back from the bucket."""
        check_header(header, max_bytes=self._max_checkpoint_bytes)
        wanted_bytes = sum(file.size_bytes for file in header.files)
        if (missing_bytes := wanted_bytes - self.free_bytes()) > 0:
            self._make_room(missing_bytes)  # what was deleted goes before what is new is refused
        with self._lock:
            if len(self._open) >= self._max_uploads:
                raise LabError(
                    f"{len(self._open)} checkpoints are being written, which is the limit; "
                    "try again when one is done",
                    code=Code.RESOURCE_EXHAUSTED,
                    reason=ErrorReason.ERROR_REASON_OVER_LIMIT,
                    metadata={"limit": str(self._max_uploads), "requested": "1"},
                )
            self._check_room(wanted_bytes)
            with disk_errors.named():
                staging = Staging(self._layout.temporary(header.name), header, returning=returning)
            self._open.add(staging)
        return staging

    def commit(self, staging: Staging) -> Checkpoint:
        """Makes it visible. The same digest twice is fine; another one is refused."""
        with staging.lock:  # who gives up now waits, and finds nothing left to remove
            checkpoint = staging.seal()
            with self._lock, disk_errors.named():
                if not staging.returning:
                    self._claim(checkpoint)  # the run may have got another owner meanwhile
                same = self._same_or_refused(checkpoint.name, checkpoint.digest)
                if same is not None:
                    return same
                destination = self._layout.destination(checkpoint.name)
                destination.parent.mkdir(exist_ok=True)
                manifest.sync_folder(destination.parent.parent)
                staging.folder.rename(destination)
                try:
                    manifest.sync_folder(destination.parent)
                except OSError:
                    # It may not outlive a power loss, so no second try must find it there.
                    destination.rename(staging.folder)
                    raise
                replaced = self._layout.replaced(checkpoint.name)
                doomed = [self._hidden(folder, checkpoint.name) for folder in replaced]
        for folder in doomed:
            shutil.rmtree(folder)
        return checkpoint

    def end(self, staging: Staging) -> None:
        """Gives up what of `staging` was not committed."""
        staging.discard()
        with self._lock:
            self._open.discard(staging)

    def _claim(self, header: Checkpoint) -> None:
        self._fences.claim(run_name(checkpoint_ids(header.name)[0]), header.fencing_token)

    def _hidden(self, folder: Path, name: str) -> Path:
        hidden = self._layout.temporary(name)
        folder.rename(hidden)
        return hidden

    def _same_or_refused(self, name: str, digest: str) -> Checkpoint | None:
        destination = self._layout.destination(name)
        if not destination.exists():
            return None  # a peek's next folder never exists: peeks are replaced
        try:
            present = manifest.read(destination)
        except Damaged as error:
            raise AlreadyExists(
                f"{name} exists but is damaged ({error.message}); delete it first",
                metadata={"name": name},
            ) from error
        if present.digest != digest:
            raise AlreadyExists(
                f"{name} exists with other contents; delete it first or save under another name",
                metadata={"name": name, "digest": present.digest},
            )
        return present

    def free_bytes(self) -> int:
        """Room that new checkpoints may take."""
        free = shutil.disk_usage(self._layout.checkpoints).free - self._floor_bytes
        free -= sum(staging.total_bytes - staging.written_bytes for staging in list(self._open))
        return max(free, 0)

    def _check_room(self, wanted_bytes: int) -> None:
        if wanted_bytes > (free := self.free_bytes()):
            raise disk_errors.no_room(
                f"the checkpoint needs {wanted_bytes} bytes, but only {free} may be used "
                f"({self._floor_bytes} are kept free); delete checkpoints or free space",
                limit_bytes=free,
                requested_bytes=wanted_bytes,
            )
