"""Files of a checkpoint on their way out. All are open before the first byte is sent, so a delete
or a newer peek during the reading changes nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from lab.errors import Damaged, InvalidArgument, NotFound, PreconditionFailed
from lab.limits import MAX_CHUNK_BYTES
from lab.v1.checkpoint_pb2 import Checkpoint, CheckpointFile
from lab.v1.checkpoint_service_pb2 import ReadCheckpointResponse
from services.checkpoint.shelf.catalog import Catalog
from services.checkpoint.shelf.layout import Layout

_ATTEMPTS = 3  # a peek may be replaced between finding its folder and opening its files


class Reading:
    """Open files and their manifest."""

    def __init__(
        self, checkpoint: Checkpoint, files: list[tuple[CheckpointFile, BinaryIO]]
    ) -> None:
        self.checkpoint = checkpoint
        self._files = files

    def next_part(self) -> ReadCheckpointResponse | None:
        """The next piece, or None after the last."""
        while self._files:
            file, source = self._files[0]
            offset = source.tell()
            data = source.read(MAX_CHUNK_BYTES)
            if data:
                part = ReadCheckpointResponse()  # filled in place: a FileChunk would be copied
                part.chunk.file, part.chunk.offset, part.chunk.data = file.name, offset, data
                return part
            source.close()
            del self._files[0]
        return None

    def only_file(self) -> BinaryIO:
        """The one file that was asked for; closing it is left to the caller."""
        [(_, source)] = self._files
        return source

    def close(self) -> None:
        for _, source in self._files:
            source.close()


def open_files(
    layout: Layout,
    catalog: Catalog,
    *,
    name: str,
    files: Sequence[str],
    from_file: str = "",
    from_offset: int = 0,
    digest: str = "",
) -> Reading:
    """Opens the wanted files, or all when `files` is empty; after a cut only what is still due.

    Raises PreconditionFailed when what has the name now is not what `digest` names.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        folder = layout.find(name)
        try:
            checkpoint = catalog.read(name, folder)
            if digest and checkpoint.digest != digest:
                raise PreconditionFailed(
                    f"{name} holds other bytes than before; read it from the start",
                    metadata={"name": name, "digest": checkpoint.digest},
                )
            wanted = _still_due(_wanted(checkpoint, files), from_file, from_offset)
            return Reading(checkpoint, _opened(folder, wanted, from_offset))
        except (FileNotFoundError, Damaged) as error:
            if folder.is_dir() or attempt == _ATTEMPTS:
                raise _damaged(name, error) from error
    raise AssertionError("unreachable")


def _wanted(checkpoint: Checkpoint, files: Sequence[str]) -> list[CheckpointFile]:
    by_name = {file.name: file for file in checkpoint.files}
    if missing := sorted(set(files) - by_name.keys()):
        raise NotFound(
            f"{checkpoint.name} has no {', '.join(missing)}; it has {', '.join(sorted(by_name))}",
            metadata={"name": checkpoint.name},
        )
    return [by_name[name] for name in dict.fromkeys(files)] if files else list(by_name.values())


def _still_due(
    files: list[CheckpointFile], from_file: str, from_offset: int
) -> list[CheckpointFile]:
    names = [file.name for file in files]
    if from_file and from_file not in names:
        raise InvalidArgument.field("from_file", f"must be one of {', '.join(names)}")
    due = files[names.index(from_file) :] if from_file else files
    if from_offset > due[0].size_bytes:
        raise InvalidArgument.field(
            "from_offset", f"must be at most {due[0].size_bytes}, the size of {due[0].name}"
        )
    return due


def _opened(
    folder: Path, files: list[CheckpointFile], from_offset: int
) -> list[tuple[CheckpointFile, BinaryIO]]:
    opened: list[tuple[CheckpointFile, BinaryIO]] = []
    try:
        for file in files:
            descriptor = os.open(folder / file.name, os.O_RDONLY | os.O_NOFOLLOW)
            opened.append((file, os.fdopen(descriptor, "rb")))
            if (size := os.fstat(descriptor).st_size) != file.size_bytes:
                raise Damaged(f"{file.name} has {size} bytes instead of {file.size_bytes}")
        opened[0][1].seek(from_offset)
    except BaseException:
        for _, source in opened:
            source.close()
        raise
    return opened


def _damaged(name: str, error: FileNotFoundError | Damaged) -> Damaged:
    if isinstance(error, Damaged):
        why = error.message
    else:
        why = f"{Path(str(error.filename)).name} is missing"
    return Damaged(
        f"{name} is damaged: {why}. Verify it, delete it, and use another checkpoint",
        metadata={"name": name},
    )
