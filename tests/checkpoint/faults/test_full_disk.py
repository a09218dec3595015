"""A disk that is really full: refused with what to do, the rest stays, and it works once there is
room again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from lab.errors import Code, LabError
from lab.v1.checkpoint_service_pb2 import (
    ListCheckpointsRequest,
    VerifyCheckpointRequest,
    WriteCheckpointRequest,
)
from tests.support.checkpoint_service import (
    checkpoint_service,
    checkpoint_stub,
    parts,
    safetensors,
    write,
)
from tests.support.waiting import until

DISK_BYTES = 4 << 20
FILES = {"model.safetensors": safetensors(bytes(900_000)), "config.json": b"{}"}
FIRST, SECOND = (f"runs/nano-1/checkpoints/step-{step:08d}" for step in (1, 2))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no disk may be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(folder: Path, *, leave_bytes: int) -> Path:
    filler = folder / "filler"
    filler.write_bytes(bytes(os.statvfs(folder).f_bavail * 4096 - leave_bytes))
    return filler


def _unfinished(home: Path) -> list[Path]:
    return list(home.glob("checkpoints/.tmp-*"))


@pytest.mark.integration
async def test_a_full_disk_refuses_keeps_and_goes_on(small_disk: Path) -> None:
    async with checkpoint_service(small_disk) as address, checkpoint_stub(address) as stub:
        await write(stub, parts(FILES, name=FIRST))
        filler = _fill(small_disk, leave_bytes=500_000)
        with pytest.raises(LabError, match=r"needs 9\d+ bytes, but only \d+ may be used") as caught:
            await write(stub, parts(FILES, name=SECOND))
        assert caught.value.code is Code.RESOURCE_EXHAUSTED
        # Room when it was asked for, taken by somebody else while it was written.
        filler.unlink()
        header, *rest = parts(FILES, name=SECOND)

        async def while_it_fills() -> AsyncIterator[WriteCheckpointRequest]:
            yield header
            await until(lambda: _unfinished(small_disk))
            _fill(small_disk, leave_bytes=300_000)
            for part in rest:
                yield part

        with pytest.raises(LabError, match="the disk filled up while the checkpoint was written"):
            await stub.WriteCheckpoint(while_it_fills())
        listed = await stub.ListCheckpoints(ListCheckpointsRequest())
        assert [each.name for each in listed.checkpoints] == [FIRST]
        assert (await stub.VerifyCheckpoint(VerifyCheckpointRequest(name=FIRST))).whole
        assert _unfinished(small_disk) == []
        (small_disk / "filler").unlink()
        await write(stub, parts(FILES, name=SECOND))
        assert (await stub.VerifyCheckpoint(VerifyCheckpointRequest(name=SECOND))).whole
