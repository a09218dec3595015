"""The real checkpoint service, in this process or as its own, and parts to write to it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from lab.rpc.client import channel
from lab.service.run import Service
from lab.v1 import checkpoint_service_pb2_grpc as services
from lab.v1.checkpoint_pb2 import Checkpoint, CheckpointFile
from lab.v1.checkpoint_service_pb2 import (
    EndOfCheckpoint,
    FileChunk,
    ReadCheckpointRequest,
    WriteCheckpointRequest,
)
from services.checkpoint.service import Settings, build

CHUNK_BYTES = 1 << 20
NAME = "runs/nano-1/checkpoints/step-00000010"
PEEK = "runs/nano-1/peek"
NO_NATS = "nats://127.0.0.1:1"  # never the server of a cluster that happens to run here
DEFAULTS: Mapping[str, Any] = {"free_space_floor_bytes": 0, "nats_url": NO_NATS}


@asynccontextmanager
async def checkpoint_service(home: Path, **settings: Any) -> AsyncIterator[str]:
    """The service in this process; yields its address."""
    async with AsyncExitStack() as stack:
        service = Service("checkpoint", stack)
        stack.push_async_callback(service.tasks.stop)
        values = Settings(home=home, port=0, **{**DEFAULTS, **settings})
        server = await build(values, service)
        await server.start()
        await server.set_ready(True)
        try:
            yield f"127.0.0.1:{server.port}"
        finally:
            await server.stop(0)


@asynccontextmanager
async def checkpoint_stub(address: str) -> AsyncIterator[services.CheckpointServiceAsyncStub]:
    async with channel(address, peer="checkpoint", caller="client") as open_channel:
        yield services.CheckpointServiceStub(open_channel)


@contextmanager
def checkpoint_process(home: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The service as a process of its own; yields it and its address once it listens."""
    with service_process("checkpoint", home, "--free-space-floor-bytes", "0") as started:
        yield started


@contextmanager
def service_process(
    name: str, home: Path, *flags: str, nats_url: str = NO_NATS
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A service of the lab as a process; yields it and its address once it listens."""
    command = [sys.executable, "-m", f"services.{name}", "--port", "0", "--home", str(home)]
    command += ["--nats-url", nats_url, *flags]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            entry = json.loads(line)
            if entry["msg"] == "listening":
                yield process, f"127.0.0.1:{entry['port']}"
                break
        else:
            raise AssertionError(f"ended with {process.wait()} before it listened")
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def safetensors(data: bytes) -> bytes:
    """A safetensors file with one tensor of bytes."""
    header = {"t": {"dtype": "U8", "shape": [len(data)], "data_offsets": [0, len(data)]}}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def header(files: Mapping[str, bytes], *, name: str = NAME, digests: bool = True) -> Checkpoint:
    return Checkpoint(
        name=name,
        step=10,
        tokens=20480,
        loss=3.5,
        preset="nano",
        files=[
            CheckpointFile(
                name=file,
                size_bytes=len(data),
                sha256=hashlib.sha256(data).hexdigest() if digests else "",
            )
            for file, data in files.items()
        ],
    )


def chunks(files: Mapping[str, bytes], *, size: int = CHUNK_BYTES) -> Iterator[FileChunk]:
    for file, data in files.items():
        for offset in range(0, len(data), size):
            yield FileChunk(file=file, offset=offset, data=data[offset : offset + size])


def parts(
    files: Mapping[str, bytes], *, name: str = NAME, digests: bool = True
) -> list[WriteCheckpointRequest]:
    """Everything a write sends, as a list that a test can spoil."""
    return [
        WriteCheckpointRequest(header=header(files, name=name, digests=digests)),
        *(WriteCheckpointRequest(chunk=chunk) for chunk in chunks(files)),
        WriteCheckpointRequest(end=EndOfCheckpoint()),
    ]


async def write(
    stub: services.CheckpointServiceAsyncStub, sent: list[WriteCheckpointRequest]
) -> Checkpoint:
    async def stream() -> AsyncIterator[WriteCheckpointRequest]:
        for part in sent:
            yield part

    return (await stub.WriteCheckpoint(stream())).checkpoint


async def read(
    stub: services.CheckpointServiceAsyncStub, name: str = NAME, *, files: tuple[str, ...] = ()
) -> tuple[Checkpoint, dict[str, bytes]]:
    found: dict[str, bytearray] = {}
    came = Checkpoint()
    async for part in stub.ReadCheckpoint(ReadCheckpointRequest(name=name, files=files)):
        if part.WhichOneof("part") == "header":
            came = part.header
        else:
            file = found.setdefault(part.chunk.file, bytearray())
            assert part.chunk.offset == len(file)
            file += part.chunk.data
    return came, {name: bytes(data) for name, data in found.items()}


def stored(home: Path) -> list[str]:
    """Every file and folder under the home folder but the lock, to see that nothing was left."""
    return sorted(
        str(path.relative_to(home))
        for path in home.rglob("*")
        if path.name not in (".lock", ".trash", "checkpoints", "peeks")
    )
