"""What may come in: checks a header and the order of the bytes after it. Touches no file."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from lab.errors import InvalidArgument, OverLimit, Violation
from lab.limits import MAX_CHUNK_BYTES
from lab.manifest import CONFIG, MANIFEST, WEIGHTS
from lab.names import IMPORTS, checkpoint_ids, holds_weights_only
from lab.v1.checkpoint_pb2 import (
    CHECKPOINT_KIND_FULL,
    CHECKPOINT_KIND_PEEK,
    CHECKPOINT_KIND_UNSPECIFIED,
    CHECKPOINT_KIND_WEIGHTS,
    Checkpoint,
    CheckpointFile,
    CheckpointKind,
)
from lab.v1.checkpoint_service_pb2 import FileChunk
from services.checkpoint.shelf.marks import MARKS
from services.checkpoint.shelf.verdicts import VERDICT

MAX_FILES: Final = 64
IMPORTED_FILES: Final = frozenset((WEIGHTS, CONFIG))
MAX_HEADER_BYTES: Final = 256 << 10
MAX_PRESET_LETTERS: Final = 64
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}\.(?:safetensors|json)")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def kind_of(name: str) -> CheckpointKind.ValueType:
    """What a name stands for; raises InvalidArgument for a name of neither form."""
    if checkpoint_ids(name)[1] is None:
        return CHECKPOINT_KIND_PEEK
    return CHECKPOINT_KIND_WEIGHTS if holds_weights_only(name) else CHECKPOINT_KIND_FULL


def is_import(name: str) -> bool:
    run, checkpoint = checkpoint_ids(name)
    return run == IMPORTS and checkpoint is not None


def check_header(header: Checkpoint, *, max_bytes: int) -> None:
    """Raises InvalidArgument naming every field at fault, before a byte of a file is taken."""
    if header.ByteSize() > MAX_HEADER_BYTES:
        raise OverLimit(
            f"the header is {header.ByteSize()} bytes; at most {MAX_HEADER_BYTES} are taken",
            metadata={"limit": str(MAX_HEADER_BYTES), "requested": str(header.ByteSize())},
        )
    kind = kind_of(header.name)
    wrong = list(_wrong_files(header.files))
    if header.kind not in (CHECKPOINT_KIND_UNSPECIFIED, kind):
        wrong.append(Violation("kind", f"does not fit the name {header.name}"))
    names = {file.name for file in header.files}
    if is_import(header.name) and names != IMPORTED_FILES:
        wrong.append(
            Violation("files", f"an import is {' and '.join(sorted(IMPORTED_FILES))}, nothing else")
        )
    elif kind == CHECKPOINT_KIND_WEIGHTS and not names >= IMPORTED_FILES:
        needs = f"must have {' and '.join(sorted(IMPORTED_FILES))}: weights only are a model"
        wrong.append(Violation("files", needs))
    if header.digest and not _SHA256.fullmatch(header.digest):
        wrong.append(Violation("digest", "must be a SHA-256 in lower-case hex, or absent"))
    if len(header.preset) > MAX_PRESET_LETTERS:
        wrong.append(Violation("preset", f"must be at most {MAX_PRESET_LETTERS} characters"))
    if wrong:
        raise InvalidArgument.of(*wrong)
    total = sum(file.size_bytes for file in header.files)
    if total > max_bytes:
        raise OverLimit(
            f"{header.name} is {total} bytes; a checkpoint may have at most {max_bytes}",
            metadata={"limit": str(max_bytes), "requested": str(total)},
        )


def _wrong_files(files: Sequence[CheckpointFile]) -> Iterator[Violation]:
    if not 1 <= len(files) <= MAX_FILES:
        yield Violation("files", f"must be 1 to {MAX_FILES} files, but are {len(files)}")
        return
    seen: set[str] = set()
    for index, file in enumerate(files):
        where = f"files[{index}]"
        if file.name in (MANIFEST, MARKS, VERDICT):
            yield Violation(f"{where}.name", f"{file.name} is written by the checkpoint service")
        elif not _FILE_NAME.fullmatch(file.name):
            yield Violation(
                f"{where}.name",
                "must be a plain name that ends with .safetensors or .json: "
                "checkpoints are safetensors only",
            )
        if file.name.casefold() in seen:
            yield Violation(f"{where}.name", "must not appear twice")
        seen.add(file.name.casefold())
        if file.size_bytes == 0:
            yield Violation(f"{where}.size_bytes", "must be at least 1")
        if file.sha256 and not _SHA256.fullmatch(file.sha256):
            yield Violation(f"{where}.sha256", "must be a SHA-256 in lower-case hex, or absent")


class Order:
    """Lets through only the chunk that must come next: file by file, without gap or overlap."""

    def __init__(self, files: Sequence[CheckpointFile]) -> None:
        self._files = list(files)
        self._index = 0
        self._received_bytes = 0

    def check(self, chunk: FileChunk) -> None:
        """Raises InvalidArgument when `chunk` is not the next one."""
        if self._index == len(self._files):
            raise InvalidArgument.field("chunk", "came after the last byte of the last file")
        file = self._files[self._index]
        size = len(chunk.data)
        if chunk.file != file.name:
            raise InvalidArgument.field(
                "chunk.file", f"must be {file.name}, of which {self._missing_bytes} bytes are due"
            )
        if chunk.offset != self._received_bytes:
            raise InvalidArgument.field(
                "chunk.offset", f"must be {self._received_bytes}, but is {chunk.offset}"
            )
        if not 1 <= size <= MAX_CHUNK_BYTES:
            raise OverLimit(
                f"chunk.data: must be 1 to {MAX_CHUNK_BYTES} bytes, but is {size}",
                metadata={"limit": str(MAX_CHUNK_BYTES), "requested": str(size)},
                violations=[Violation("chunk.data", f"must be 1 to {MAX_CHUNK_BYTES} bytes")],
            )
        if size > self._missing_bytes:
            raise InvalidArgument.field(
                "chunk.data", f"goes past the {file.size_bytes} bytes that {file.name} should have"
            )
        self._received_bytes += size
        if self._missing_bytes == 0:
            self._index, self._received_bytes = self._index + 1, 0

    def check_end(self) -> None:
        """Raises InvalidArgument when bytes are missing."""
        if self._index < len(self._files):
            raise InvalidArgument.field(
                "end",
                f"came while {self._missing_bytes} bytes of {self._files[self._index].name} "
                "were missing",
            )

    @property
    def _missing_bytes(self) -> int:
        return self._files[self._index].size_bytes - self._received_bytes
