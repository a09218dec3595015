"""One checkpoint on its way to disk. Nothing of it is visible before `Blobs.commit`."""

import contextlib
import hashlib
import os
import shutil
import threading
from pathlib import Path
from typing import BinaryIO

from lab import manifest
from lab.errors import Damaged
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.checkpoint_service_pb2 import FileChunk
from services.checkpoint import disk_errors, safetensors_header
from services.checkpoint.intake import parsing
from services.checkpoint.intake.rules import Order, is_import, kind_of
from services.checkpoint.shelf import marks


class Staging:
    """A temporary folder that takes chunks in order, hashing as it writes.

    Its methods run in threads, one call at a time; `lock` lets `discard` come at any moment. Who
    gives the folder its name holds it meanwhile, or files would be removed under that name.
    """

    def __init__(self, folder: Path, header: Checkpoint, *, returning: bool = False) -> None:
        """`returning` is one that was here before: it keeps its time, and no claim is asked for."""
        self.folder = folder
        self.header = header
        self.returning = returning
        self.total_bytes = sum(file.size_bytes for file in header.files)
        self.written_bytes = 0
        self._order = Order(header.files)
        self._open_name = ""
        self._file: BinaryIO | None = None
        self._hash = hashlib.sha256()
        self._sha256: dict[str, str] = {}
        self.lock = threading.RLock()
        folder.mkdir()

    def write(self, chunk: FileChunk) -> None:
        """Raises InvalidArgument when `chunk` is not the next one."""
        with self.lock, disk_errors.named():
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
        with self.lock, disk_errors.named():
            self._order.check_end()
            self._close_file()
            checkpoint = self._described()
            if is_import(checkpoint.name):
                parsing.check_import(self.folder)
            else:
                for file in checkpoint.files:
                    if file.name.endswith(".safetensors"):
                        safetensors_header.check(self.folder / file.name)
            manifest.write(self.folder, checkpoint)
            return checkpoint

    def discard(self) -> None:
        """Removes what is left of the folder; after a commit that is nothing."""
        with self.lock:
            if self._file is not None:
                with contextlib.suppress(OSError):  # a full disk refuses the last bytes once more
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
        for field in ("delete_time", "expire_time", "verify_time", "damage", "bucket_copy"):
            checkpoint.ClearField(field)
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
        if not (self.returning and checkpoint.HasField("create_time")):
            checkpoint.create_time.GetCurrentTime()
        return checkpoint
