"""Finds and opens the files of a corpus: plain files only, which must not change meanwhile.

Nothing is followed or waited for: a link could lead anywhere, a pipe could never end.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lab.errors import InvalidArgument

SUFFIXES = (".txt", ".text", ".md", ".jsonl", ".ndjson")
_SHOWN = ", ".join(SUFFIXES)
MAX_FILES = 1_000_000

_KINDS = (
    (stat.S_ISLNK, "a symbolic link; give the file it leads to"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe; write its text into a file"),
    (stat.S_ISSOCK, "a socket"),
    (lambda mode: stat.S_ISBLK(mode) or stat.S_ISCHR(mode), "a device"),
)


@dataclass(frozen=True)
class TextFile:
    """A file to read; `label` names it in messages."""

    path: Path
    label: str
    size_bytes: int


@dataclass(frozen=True)
class Found:
    """The files of a corpus, in the order they are read, and how many others were left out."""

    files: Sequence[TextFile]
    left_out: int


def find_texts(paths: Sequence[Path]) -> Found:
    """The named files, and those in the named folders by name; raises InvalidArgument."""
    files: list[TextFile] = []
    left_out = 0
    for path in paths:
        if not path.is_symlink() and path.is_dir():
            there, others = _in_folder(path)
            files += there
            left_out += others
        else:
            files.append(text_file(path, label=str(path)))
            if path.suffix.lower() not in SUFFIXES:
                raise InvalidArgument(f"{path}: is not a text ({_SHOWN}); unpack or rename it")
        if len(files) > MAX_FILES:
            raise InvalidArgument(
                f"there are more than {MAX_FILES:,} files; join them in one .jsonl file"
            )
    if not files:
        where = ", ".join(map(str, paths))
        raise InvalidArgument(f"{where}: holds no text ({_SHOWN})")
    return Found(files, left_out)


def text_file(path: Path, *, label: str) -> TextFile:
    """A plain file as it is now; raises InvalidArgument for anything else."""
    try:
        found = os.lstat(path)
    except (OSError, ValueError) as error:
        raise _unreadable(label, error) from error
    _refuse_what_is_no_file(label, found.st_mode)
    return TextFile(path, label, found.st_size)


@contextmanager
def opened(file: TextFile) -> Iterator[BinaryIO]:
    """The file for reading; raises InvalidArgument when it is another one by the end."""
    try:
        # Between the look at it and this call it may have become a link or a pipe.
        descriptor = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _unreadable(file.label, error) from error
    with os.fdopen(descriptor, "rb") as stream:
        before = os.fstat(descriptor)
        _refuse_what_is_no_file(file.label, before.st_mode)
        yield stream
        after = os.fstat(descriptor)
    was, now = (before.st_size, before.st_mtime_ns), (after.st_size, after.st_mtime_ns)
    if was != now or before.st_size != file.size_bytes:
        raise InvalidArgument(
            f"{file.label}: changed while it was read; wait until it is written, then try again"
        )


def _in_folder(folder: Path) -> tuple[list[TextFile], int]:
    files: list[TextFile] = []
    left_out = 0

    def refuse(error: OSError) -> None:
        raise _unreadable(str(error.filename), error) from error

    for here, folders, names in os.walk(folder, onerror=refuse):
        folders.sort()
        for name in sorted(names):
            path = Path(here, name)
            if path.suffix.lower() in SUFFIXES:
                files.append(text_file(path, label=str(path)))
            else:
                left_out += 1
    return files, left_out


def _refuse_what_is_no_file(label: str, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    what = next((kind for is_one, kind in _KINDS if is_one(mode)), "not a plain file")
    raise InvalidArgument(f"{label}: is {what}")


def _unreadable(label: str, error: OSError | ValueError) -> InvalidArgument:
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return InvalidArgument(f"{label}: is a symbolic link; give the file it leads to")
    reason = error.strerror if isinstance(error, OSError) else "its name holds a NUL"
    return InvalidArgument(f"{label}: cannot be read ({reason})")
