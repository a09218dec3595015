"""One writer per run: what comes with a lower claim than the store has seen is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.errors import Code, LabError
from lab.v1.checkpoint_service_pb2 import (
    DeleteCheckpointRequest,
    FenceRunRequest,
    ListCheckpointsRequest,
    WriteCheckpointRequest,
)
from tests.support.checkpoint_service import (
    PEEK,
    checkpoint_service,
    checkpoint_stub,
    parts,
    safetensors,
    write,
)
from tests.support.waiting import until

if TYPE_CHECKING:
    from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceAsyncStub as Stub

FILES = {"model.safetensors": safetensors(b"weights"), "config.json": b"{}"}
RUN = "runs/nano-1"


def _parts(step: int, claim: int, *, name: str = "") -> list[WriteCheckpointRequest]:
    sent = parts(FILES, name=name or f"{RUN}/checkpoints/step-{step:08d}")
    sent[0].header.fencing_token = claim
    return sent


async def _listed(stub: Stub) -> set[str]:
    answer = await stub.ListCheckpoints(ListCheckpointsRequest(run=RUN))
    return {each.name.rpartition("/")[2] for each in answer.checkpoints}


async def _refused(stub: Stub, sent: list[WriteCheckpointRequest]) -> None:
    with pytest.raises(LabError, match="claimed by another owner") as caught:
        await write(stub, sent)
    assert caught.value.code is Code.FAILED_PRECONDITION


async def test_fifty_owners_and_nothing_of_a_former_one_gets_in(stub: Stub) -> None:
    for claim in range(1, 51):
        await write(stub, _parts(claim, claim))
        await _refused(stub, _parts(1000 + claim, claim - 1))
    await _refused(stub, _parts(1, 1))  # not even what is there already
    await _refused(stub, _parts(0, 49, name=PEEK))
    assert await _listed(stub) == {f"step-{claim:08d}" for claim in range(1, 51)}


async def test_a_claim_alone_fences_and_outlives_restart_and_deletion(tmp_path: Path) -> None:
    async with checkpoint_service(tmp_path) as address, checkpoint_stub(address) as stub:
        await write(stub, _parts(1, 6))
        await stub.FenceRun(FenceRunRequest(run=RUN, fencing_token=7))
        name = f"{RUN}/checkpoints/step-00000001"
        await stub.DeleteCheckpoint(DeleteCheckpointRequest(name=name, permanently=True))
    async with checkpoint_service(tmp_path) as address, checkpoint_stub(address) as stub:
        await _refused(stub, _parts(2, 6))
        with pytest.raises(LabError, match="claim 7, this is 6"):
            await stub.FenceRun(FenceRunRequest(run=RUN, fencing_token=6))
        await stub.FenceRun(FenceRunRequest(run=RUN, fencing_token=7))
        await write(stub, _parts(2, 7))
        assert await _listed(stub) == {"step-00000002"}


async def test_a_write_under_way_when_the_run_is_claimed_is_refused_at_its_end(
    stub: Stub, tmp_path: Path
) -> None:
    claimed = asyncio.Event()

    async def slow() -> AsyncIterator[WriteCheckpointRequest]:
        *most, end = _parts(5, 3)
        for part in most:
            yield part
        await claimed.wait()
        yield end

    writing = asyncio.ensure_future(stub.WriteCheckpoint(slow()))
    await until(lambda: any(tmp_path.glob("checkpoints/.tmp-*/config.json")))
    await stub.FenceRun(FenceRunRequest(run=RUN, fencing_token=4))
    claimed.set()
    with pytest.raises(LabError, match="claimed by another owner"):
        await writing
    assert await _listed(stub) == set()
    await until(lambda: not any(tmp_path.glob("checkpoints/.tmp-*")))


async def test_who_claims_nothing_writes_where_nobody_does(stub: Stub) -> None:
    await write(stub, _parts(1, 0))
    await stub.FenceRun(FenceRunRequest(run=RUN, fencing_token=1))
    await _refused(stub, _parts(2, 0))


async def test_a_record_that_cannot_be_read_lets_nobody_through(tmp_path: Path) -> None:
    (tmp_path / "checkpoints" / ".fences").mkdir(parents=True)
    (tmp_path / "checkpoints" / ".fences" / "nano-1").write_text("?")
    async with checkpoint_service(tmp_path) as address, checkpoint_stub(address) as stub:
        with pytest.raises(LabError, match="who may write runs/nano-1 cannot be read"):
            await write(stub, _parts(1, 9))
