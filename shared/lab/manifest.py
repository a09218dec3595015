"""The manifest of a checkpoint folder: what files it holds, how long they are, what they hash to.

safetensors has no checksum and no fsync, so wholeness is ours: a folder counts as a checkpoint when
`manifest.json` is there (written last) and every file in it has the size and SHA-256 it names.
The manifest is a lab.v1.Checkpoint as ProtoJSON, and begins with a seal: the SHA-256 of its own
bytes, taken while the seal was all zeros. So a flipped bit in a loss or a step is found as well.

What a worker has staged says so in the same way, in `staged.json`: whoever finds the folder when
the worker's word for it was lost can send it all the same. Beside it, in `told.bin`, lies what was
measured since the save before, for a trainer that was killed before it wrote that down.
"""

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypeVar

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from lab.errors import Damaged
from lab.v1.checkpoint_pb2 import Checkpoint, CheckpointFile
from lab.v1.worker_pb2 import CheckpointStaged, Told

MANIFEST = "manifest.json"
WEIGHTS: Final = "model.safetensors"  # names and layout of Hugging Face's GPT-2
CONFIG: Final = "config.json"  # its shape, as transformers has it
STAGED = "staged.json"
TOLD: Final = "told.bin"
MAX_TOLD_BYTES: Final = 4 << 20
_CHUNK_BYTES = 1 << 20
_NO_SEAL: Final = b"0" * 64
_SEALED = re.compile(rb'\{\n  "seal": "([0-9a-f]{64})",')
_Sealed = TypeVar("_Sealed", bound=Message)


def file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def describe(folder: Path) -> list[CheckpointFile]:
    """Every file of the folder but the manifest, by name. Reads and hashes all bytes."""
    return [
        CheckpointFile(name=path.name, size_bytes=path.stat().st_size, sha256=file_sha256(path))
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name not in (MANIFEST, STAGED, TOLD)
    ]


def digest(files: Iterable[CheckpointFile]) -> str:
    """One SHA-256 that stands for the whole: over the sorted names and digests of the files."""
    lines = sorted(f"{file.sha256}  {file.name}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def write(folder: Path, checkpoint: Checkpoint) -> None:
    """Writes the manifest so that it is either absent or whole, and on disk when this returns."""
    _write(folder, MANIFEST, checkpoint)


def read(folder: Path) -> Checkpoint:
    """The manifest; raises Damaged when it is missing or is not as it was written."""
    return _parsed(_read(folder, MANIFEST), Checkpoint(), name=MANIFEST, of=folder.name)


def write_staged(folder: Path, staged: CheckpointStaged, told: Told | None = None) -> None:
    """Says, last of all, that a staged folder is whole; `told` is what led up to it."""
    if told is not None:
        (folder / TOLD).write_bytes(told.SerializeToString())
    _write(folder, STAGED, staged)


def read_staged(folder: Path) -> CheckpointStaged:
    """What the worker would have said of it, where it lies now; raises Damaged, as `read`."""
    staged = _parsed(_read(folder, STAGED), CheckpointStaged(), name=STAGED, of=folder.name)
    staged.folder = str(folder)
    return staged


def read_told(folder: Path) -> Told:
    """What was measured before a staged folder was made; nothing where that cannot be read, for
    the weights are worth as much without it."""
    try:
        if (path := folder / TOLD).stat().st_size <= 2 * MAX_TOLD_BYTES:
            return Told.FromString(path.read_bytes())
    except (OSError, DecodeError):
        pass
    return Told()


def unstage(folder: Path) -> None:
    """Takes the word back."""
    (folder / STAGED).unlink(missing_ok=True)
    (folder / TOLD).unlink(missing_ok=True)


def _write(folder: Path, name: str, message: Message) -> None:
    temporary = folder / f".{name}.tmp"
    with temporary.open("wb") as file:
        file.write(rendered(message))
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(folder / name)
    sync_folder(folder)


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError as error:
        raise Damaged(f"{folder.name} has no {name}: it was never finished") from error


def rendered(message: Message) -> bytes:
    """The bytes of a sealed file."""
    body = json_format.MessageToJson(message, ensure_ascii=False).encode().removeprefix(b"{")
    seal = hashlib.sha256(_begin(_NO_SEAL) + body).hexdigest()
    return _begin(seal.encode()) + body


def parsed(data: bytes, *, of: str) -> Checkpoint:
    """The manifest in these bytes; raises Damaged. One without a seal is older than seals."""
    return _parsed(data, Checkpoint(), name=MANIFEST, of=of)


def _parsed(data: bytes, into: _Sealed, *, name: str, of: str) -> _Sealed:
    if (begins := _SEALED.match(data)) is not None:
        body = data[begins.end() :]
        seal = hashlib.sha256(_begin(_NO_SEAL) + body).hexdigest()
        if seal.encode() != begins[1]:
            raise Damaged(f"the {name} of {of} is not as it was written: its seal is broken")
        data = b"{" + body
    try:
        return json_format.Parse(data, into)
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise Damaged(f"the {name} of {of} cannot be read") from error


def _begin(seal: bytes) -> bytes:
    return b'{\n  "seal": "' + seal + b'",'


def damage(folder: Path, checkpoint: Checkpoint) -> list[str]:
    """For each file that is not as the manifest says: what was expected and what was found."""
    found: list[str] = []
    for file in checkpoint.files:
        path = folder / file.name
        if not path.is_file():
            found.append(f"{file.name}: missing")
        elif (size := path.stat().st_size) != file.size_bytes:
            found.append(f"{file.name}: expected {file.size_bytes} bytes, found {size}")
        elif (actual := file_sha256(path)) != file.sha256:
            found.append(f"{file.name}: expected SHA-256 {file.sha256}, found {actual}")
    if digest(checkpoint.files) != checkpoint.digest:
        found.append(f"{MANIFEST}: its digest does not match its list of files")
    return found


def sync_folder(folder: Path) -> None:
    """Makes renames and new names in the folder survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
