"""The service is killed with -9 at many points of a write; what is listed is always whole."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from lab import manifest
from lab.errors import LabError
from lab.v1.checkpoint_service_pb2 import ListCheckpointsRequest, WriteCheckpointRequest
from tests.support.checkpoint_service import (
    checkpoint_process,
    checkpoint_stub,
    parts,
    read,
    safetensors,
    stored,
    write,
)
from tests.support.waiting import until

FILES = {
    "model.safetensors": safetensors(os.urandom(12 << 20)),
    "optim.safetensors": safetensors(os.urandom(6 << 20)),
    "state.json": b"{}",
}


def _staged_bytes(home: Path) -> int:
    sizes = []
    for path in home.glob("checkpoints/.tmp-*/*"):
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:
            continue  # it got its name between the two looks
    return sum(sizes)


def _at_bytes(home: Path, count: int) -> Callable[[], bool]:
    return lambda: _staged_bytes(home) >= count


def _unfinished(home: Path) -> list[Path]:
    return [*home.glob("checkpoints/.tmp-*")]


def _whole(home: Path) -> set[str]:
    """Names of the folders under checkpoints/ whose files match their manifest."""
    names = set()
    for folder in home.glob("checkpoints/*/*"):
        if not folder.parent.name.startswith(".tmp-"):
            assert manifest.damage(folder, manifest.read(folder)) == []
            names.add(f"runs/{folder.parent.name}/checkpoints/{folder.name}")
    return names


async def _write_until_killed(address: str, name: str) -> bool:
    """Whether the write was acknowledged before the service died."""

    async def stream() -> AsyncIterator[WriteCheckpointRequest]:
        for part in parts(FILES, name=name):
            yield part

    async with checkpoint_stub(address) as stub:
        try:
            await stub.WriteCheckpoint(stream())
        except LabError:
            return False
    return True


@pytest.mark.integration
async def test_killed_at_any_point_everything_listed_is_whole(tmp_path: Path) -> None:
    total = sum(map(len, FILES.values()))
    draw = random.Random(7)
    moments: list[Callable[[], bool]] = [
        *(_at_bytes(tmp_path, draw.randrange(1, total)) for _ in range(4)),
        lambda: any(tmp_path.glob("checkpoints/.tmp-*/.manifest.json.tmp")),
        lambda: any(tmp_path.glob("checkpoints/.tmp-*/manifest.json")),
        lambda: any(tmp_path.glob(f"checkpoints/run-{len(moments) - 1}/*/manifest.json")),
    ]
    acknowledged: set[str] = set()
    for number, moment in enumerate(moments):
        name = f"runs/run-{number}/checkpoints/step-00000001"
        with checkpoint_process(tmp_path) as (process, address):
            writing = asyncio.create_task(_write_until_killed(address, name))
            # A moment may be over before it is seen: then the kill comes after the write.
            await until(lambda: moment() or writing.done())  # noqa: B023
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
            if await writing:
                acknowledged.add(name)
    interrupted = _unfinished(tmp_path)
    with checkpoint_process(tmp_path) as (_, address):
        async with checkpoint_stub(address) as stub:
            answer = await stub.ListCheckpoints(ListCheckpointsRequest())
            listed = {checkpoint.name for checkpoint in answer.checkpoints}
            assert listed == _whole(tmp_path)
            assert acknowledged <= listed
            assert _unfinished(tmp_path) == []
            for name in listed:
                assert (await read(stub, name))[1] == FILES
            # What was cut off can be sent again.
            await write(stub, parts(FILES, name="runs/run-0/checkpoints/step-00000001"))
    assert len(listed) < len(moments), "no kill came before its write was done"
    assert len(interrupted) <= 1, "a start left an unfinished write of an earlier one"


@pytest.mark.integration
async def test_sigterm_ends_it_cleanly_and_a_broken_upload_leaves_nothing(tmp_path: Path) -> None:
    with checkpoint_process(tmp_path) as (process, address):
        async with checkpoint_stub(address) as stub:
            gone = asyncio.Event()

            async def half() -> AsyncIterator[WriteCheckpointRequest]:
                for part in parts(FILES)[:5]:
                    yield part
                await gone.wait()

            writing = asyncio.ensure_future(stub.WriteCheckpoint(half()))
            await until(lambda: _staged_bytes(tmp_path) > 0)
            writing.cancel()  # the client goes away in the middle
            await until(lambda: not _unfinished(tmp_path))
            assert stored(tmp_path) == []
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 10) == 0
