"""One checkpoint on its way to disk. Nothing of it is visible before `Blobs.commit`."""

import errno
import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lab import manifest
from lab.errors import Code, Damaged, LabError
from lab.v1.checkpoint_pb2 import CHECKPOINT_KIND_WEIGHTS, Checkpoint
from lab.v1.checkpoint_service_pb2 import FileChunk
from lab.v1.error_pb2 import ErrorReason
from services.checkpoint import gpt2_shape, marks, safetensors_header
from services.checkpoint.intake import Order, kind_of


class Staging:
    """A temporary folder that takes chunks in order, hashing as it writes.

    Its methods run in threads, one call at a time; the lock lets `discard` come at any moment.
    """

    def __init__(self, folder: Path, header: Checkpoint) -> None:
        self.folder = folder
        self.header = header
        self.total_bytes = sum(file.size_bytes for file in header.files)
        self.written_bytes = 0
        self._order = Order(header.files)
        self._open_name = ""
        self._file: BinaryIO | None = None
        self._hash = hashlib.sha256()
        self._sha256: dict[str, str] = {}
        self._lock = threading.Lock()
        folder.mkdir()

    def write(self, chunk: FileChunk) -> None:
        """Raises InvalidArgument when `chunk` is not the next one."""
        with self._lock, _full_disk_named():
            self._order.check(chunk)
            if chunk.file != self._open_name:
                self._close_file()
                self._file = (self.folder / chunk.file).open("xb")
                self._open_name, self._hash = chunk.file, hashlib.sha256()
            assert self._file is not None
            self._file.write(chunk.data)
            self._hash.update(chunk.data)
            self.written_bytes += len(chunk.data)

    def seal(self) -> Checkpoint:
        """The checkpoint, its bytes and manifest on disk. Refuses what is not as announced."""
        with self._lock, _full_disk_named():
            self._order.check_end()
            self._close_file()
            checkpoint = self._described()
            for file in checkpoint.files:
                if file.name.endswith(".safetensors"):
                    header = safetensors_header.check(self.folder / file.name)
                    if checkpoint.kind == CHECKPOINT_KIND_WEIGHTS:
                        gpt2_shape.check(self.folder, header)
            manifest.write(self.folder, checkpoint)
            return checkpoint

    def discard(self) -> None:
        """Removes what is left of the folder; after a commit that is nothing."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
            shutil.rmtree(self.folder, ignore_errors=True)

    def _close_file(self) -> None:
        if self._file is None:
            return
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None
        self._sha256[self._open_name] = self._hash.hexdigest()

    def _described(self) -> Checkpoint:
        checkpoint = marks.lay(self.header, Checkpoint())  # what is new has no marks
        checkpoint.ClearField("delete_time")
        checkpoint.ClearField("expire_time")
        checkpoint.kind = kind_of(checkpoint.name)
        checkpoint.size_bytes = self.total_bytes
        for file in checkpoint.files:
            arrived = self._sha256[file.name]
            if file.sha256 and file.sha256 != arrived:
                raise Damaged(
                    f"{file.name} arrived with SHA-256 {arrived}, but the header says "
                    f"{file.sha256}; nothing was stored, send it again",
                    metadata={"file": file.name, "expected": file.sha256, "found": arrived},
                )
            file.sha256 = arrived
        digest = manifest.digest(checkpoint.files)
        if checkpoint.digest and checkpoint.digest != digest:
            raise Damaged(
                f"{checkpoint.name} arrived with digest {digest}, but the header says "
                f"{checkpoint.digest}; nothing was stored, send it again",
                metadata={"expected": checkpoint.digest, "found": digest},
            )
        checkpoint.digest = digest
        checkpoint.create_time.GetCurrentTime()
        return checkpoint


def no_room(message: str, *, limit_bytes: int, requested_bytes: int) -> LabError:
    return LabError(
        message,
        code=Code.RESOURCE_EXHAUSTED,
        reason=ErrorReason.ERROR_REASON_OVER_LIMIT,
        metadata={"limit": str(limit_bytes), "requested": str(requested_bytes)},
    )


@contextmanager
def _full_disk_named() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise no_room(
            "the disk filled up while the checkpoint was written; nothing was stored. "
            "Delete checkpoints or free space, then save again",
            limit_bytes=0,
            requested_bytes=0,
        ) from error
