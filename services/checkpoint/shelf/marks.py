"""What people say about a checkpoint: pinned, labels, notes. Beside the manifest, which never
changes, in a file of its own that is replaced as a whole and travels with the folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import structlog
from google.protobuf import json_format

from lab import manifest
from lab.errors import InvalidArgument, Violation
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.checkpoint_service_pb2 import UpdateCheckpointRequest

MARKS: Final = "marks.json"
MAX_LABELS: Final = 32
MAX_LABEL_LETTERS: Final = 200
MAX_NOTES_LETTERS: Final = 10_000
MAX_BYTES: Final = 1 << 20  # of the file, whatever letters its texts are made of
_FIELDS: Final = ("pinned", "labels", "notes")
_KEY = re.compile(r"[a-z](?:[a-z0-9_.-]{0,61}[a-z0-9])?")

log = structlog.get_logger()


def read(folder: Path) -> Checkpoint:
    """The marked fields and nothing else."""
    try:
        data = (folder / MARKS).read_bytes()
    except FileNotFoundError:
        return Checkpoint()
    return parsed(data, of=folder.name)


def parsed(data: bytes, *, of: str) -> Checkpoint:
    """Marks that cannot be read count as a pin: nothing is deleted by mistake."""
    try:
        return only_marks(json_format.Parse(data, Checkpoint()))
    except (json_format.ParseError, UnicodeDecodeError):
        log.warning("marks cannot be read, so it counts as pinned", checkpoint=of)
        return Checkpoint(pinned=True, notes=f"{MARKS} cannot be read; set the marks again")


def write(folder: Path, marks: Checkpoint) -> None:
    """Replaces the file: a crash leaves the old marks or the new ones."""
    temporary = folder / f".{MARKS}.tmp"
    with temporary.open("w") as file:
        file.write(json_format.MessageToJson(only_marks(marks)))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / MARKS)
    manifest.sync_folder(folder)


def only_marks(checkpoint: Checkpoint) -> Checkpoint:
    return Checkpoint(
        pinned=checkpoint.pinned, labels=dict(checkpoint.labels), notes=checkpoint.notes
    )


def lay(checkpoint: Checkpoint, marks: Checkpoint) -> Checkpoint:
    """A copy of `checkpoint` with these marks and no others."""
    marked = Checkpoint()
    marked.CopyFrom(checkpoint)
    for field in _FIELDS:
        marked.ClearField(field)
    marked.MergeFrom(marks)
    return marked


def changed(marks: Checkpoint, request: UpdateCheckpointRequest) -> Checkpoint:
    """The marks after the request; raises InvalidArgument naming every field at fault."""
    after = only_marks(marks)
    if request.HasField("pinned"):
        after.pinned = request.pinned
    if request.HasField("notes"):
        after.notes = request.notes
    for key, value in request.labels.items():
        if value:
            after.labels[key] = value
        else:
            after.labels.pop(key, None)
    if wrong := [*_wrong_labels(request.labels), *_wrong_sizes(after)]:
        raise InvalidArgument.of(*wrong)
    return after


def _wrong_labels(labels: Mapping[str, str]) -> Iterator[Violation]:
    for key, value in sorted(labels.items()):
        if not _KEY.fullmatch(key):
            yield Violation(
                "labels", "a label's name must be 1 to 63 characters a-z, 0-9, _ . and -"
            )
        if len(value) > MAX_LABEL_LETTERS:
            yield Violation(
                "labels", f"a label may have at most {MAX_LABEL_LETTERS} characters of text"
            )


def _wrong_sizes(after: Checkpoint) -> Iterator[Violation]:
    if len(after.labels) > MAX_LABELS:
        yield Violation("labels", f"a checkpoint may have at most {MAX_LABELS} labels")
    if len(after.notes) > MAX_NOTES_LETTERS:
        yield Violation("notes", f"must be at most {MAX_NOTES_LETTERS} characters")
