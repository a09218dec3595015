"""Checkpoints to folders of this machine and weights from them, hashed on the way."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import shutil
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from lab.errors import AlreadyExists, Damaged, InvalidArgument, NotFound
from lab.limits import MAX_CHUNK_BYTES
from lab.manifest import CONFIG, WEIGHTS
from lab.rpc.reading import read_checkpoint
from lab.v1 import checkpoint_service_pb2 as messages
from lab.v1.checkpoint_pb2 import Checkpoint, CheckpointFile

if TYPE_CHECKING:  # grpc generates these for type checkers only
    from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceAsyncStub

TRANSFER_SECS: Final = 900.0


async def export(service: CheckpointServiceAsyncStub, name: str, destination: Path) -> Checkpoint:
    """Into a new folder, which `transformers` opens as it is; or, when `destination` ends with
    .safetensors, the weights alone into that file. Whole or not at all.

    Raises AlreadyExists rather than to overwrite, Damaged when a byte is not as it was saved.
    """
    one_file = destination.suffix == ".safetensors"
    arriving = _beside(destination)
    try:
        request = messages.ReadCheckpointRequest(name=name, files=[WEIGHTS] if one_file else [])
        checkpoint = await _receive(service, request, arriving)
        (arriving / WEIGHTS if one_file else arriving).rename(destination)
    finally:
        await asyncio.to_thread(shutil.rmtree, arriving, ignore_errors=True)
    return checkpoint


def _beside(destination: Path) -> Path:
    """A new folder on the same disk."""
    if destination.exists():
        raise AlreadyExists(f"{destination} exists already; choose another place")
    if not destination.parent.is_dir():
        raise NotFound(f"there is no folder {destination.parent}")
    folder = destination.parent / f".{destination.name}.{secrets.token_hex(4)}"
    folder.mkdir()
    return folder


async def _receive(
    service: CheckpointServiceAsyncStub, request: messages.ReadCheckpointRequest, folder: Path
) -> Checkpoint:
    checkpoint = Checkpoint()
    files: dict[str, BinaryIO] = {}
    hashes = {}
    try:
        async for chunk in read_checkpoint(service, request.name, request.files):
            if isinstance(chunk, Checkpoint):
                checkpoint.CopyFrom(chunk)
                continue
            if chunk.file not in files:
                if chunk.file not in {each.name for each in checkpoint.files}:
                    raise Damaged(f"{request.name} came with a file that it does not list")
                files[chunk.file] = (folder / Path(chunk.file).name).open("xb")
                hashes[chunk.file] = hashlib.sha256()
            files[chunk.file].write(chunk.data)
            hashes[chunk.file].update(chunk.data)
    finally:
        for file in files.values():
            file.close()
    for described in checkpoint.files:
        if request.files and described.name not in request.files:
            continue
        if described.name not in hashes or hashes[described.name].hexdigest() != described.sha256:
            raise Damaged(
                f"{request.name} is damaged: {described.name} is not as it was saved. "
                "Nothing was written; use another checkpoint",
                metadata={"name": request.name},
            )
    return checkpoint


async def bring_in(service: CheckpointServiceAsyncStub, folder: Path, name: str) -> Checkpoint:
    """Weights of a Hugging Face GPT-2 folder under a checkpoint's name. The service refuses what
    does not fit its config."""
    paths = _files(folder)
    header = Checkpoint(
        name=name, files=[await asyncio.to_thread(_described, paths, file) for file in paths]
    )

    async def parts() -> AsyncIterator[messages.WriteCheckpointRequest]:
        yield messages.WriteCheckpointRequest(header=header)
        for file, path in paths.items():
            with path.open("rb") as source:
                while data := await asyncio.to_thread(source.read, MAX_CHUNK_BYTES):
                    offset = source.tell() - len(data)
                    chunk = messages.FileChunk(file=file, offset=offset, data=data)
                    yield messages.WriteCheckpointRequest(chunk=chunk)
        yield messages.WriteCheckpointRequest(end=messages.EndOfCheckpoint())

    return (await service.WriteCheckpoint(parts(), timeout=TRANSFER_SECS)).checkpoint


def _files(folder: Path) -> Mapping[str, Path]:
    if not folder.is_dir():
        raise NotFound(f"there is no folder {folder}")
    paths = {file: folder / file for file in (CONFIG, WEIGHTS)}
    missing = [file for file, path in paths.items() if not path.is_file()]
    if missing:
        hint = ""
        if any(folder.glob("*.safetensors.index.json")):
            hint = "; weights in several files are not taken: save them again as one"
        elif any(folder.glob("*.bin")) or any(folder.glob("*.pt")):
            hint = "; only safetensors are taken, because other formats can run code when opened"
        raise InvalidArgument.field("folder", f"{folder} has no {' and no '.join(missing)}{hint}")
    return paths


def _described(paths: Mapping[str, Path], file: str) -> CheckpointFile:
    with paths[file].open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    return CheckpointFile(name=file, size_bytes=paths[file].stat().st_size, sha256=digest)
