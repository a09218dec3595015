"""Pins, labels and notes change; the bytes and their manifest do not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import manifest
from lab.errors import Code, LabError
from lab.v1.checkpoint_service_pb2 import (
    DeleteCheckpointRequest,
    GetCheckpointRequest,
    ListCheckpointsRequest,
    UpdateCheckpointRequest,
    VerifyCheckpointRequest,
)
from tests.support.checkpoint_service import (
    NAME,
    PEEK,
    checkpoint_service,
    checkpoint_stub,
    header,
    parts,
    safetensors,
    write,
)

if TYPE_CHECKING:
    from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceAsyncStub as Stub

FILES = {"model.safetensors": safetensors(b"weights"), "config.json": b"{}"}
FOLDER = Path("checkpoints", "nano-1", "step-00000010")


async def test_what_is_given_changes_and_the_rest_stays(stub: Stub, tmp_path: Path) -> None:
    await write(stub, parts(FILES))
    before = (tmp_path / FOLDER / manifest.MANIFEST).read_bytes()
    first = UpdateCheckpointRequest(
        name=NAME, pinned=True, notes="before the spike", labels={"why": "spike", "who": "me"}
    )
    await stub.UpdateCheckpoint(first)
    second = UpdateCheckpointRequest(name=NAME, labels={"who": "", "what": "nano"})
    answer = (await stub.UpdateCheckpoint(second)).checkpoint
    assert answer.pinned
    assert answer.notes == "before the spike"
    assert dict(answer.labels) == {"why": "spike", "what": "nano"}
    assert (await stub.GetCheckpoint(GetCheckpointRequest(name=NAME))).checkpoint == answer
    assert list((await stub.ListCheckpoints(ListCheckpointsRequest())).checkpoints) == [answer]
    assert (tmp_path / FOLDER / manifest.MANIFEST).read_bytes() == before
    assert (await stub.VerifyCheckpoint(VerifyCheckpointRequest(name=NAME))).whole


async def test_marks_outlive_the_service(tmp_path: Path) -> None:
    async with checkpoint_service(tmp_path) as address, checkpoint_stub(address) as stub:
        await write(stub, parts(FILES))
        await stub.UpdateCheckpoint(UpdateCheckpointRequest(name=NAME, pinned=True, notes="keep"))
    async with checkpoint_service(tmp_path) as address, checkpoint_stub(address) as stub:
        found = (await stub.GetCheckpoint(GetCheckpointRequest(name=NAME))).checkpoint
        assert (found.pinned, found.notes) == (True, "keep")


@pytest.mark.parametrize("permanently", [False, True])
async def test_a_pinned_one_is_not_deleted_until_it_is_unpinned(
    stub: Stub, permanently: bool
) -> None:
    await write(stub, parts(FILES))
    await stub.UpdateCheckpoint(UpdateCheckpointRequest(name=NAME, pinned=True))
    delete = DeleteCheckpointRequest(name=NAME, permanently=permanently)
    with pytest.raises(LabError, match="is pinned, so it is not deleted; unpin it") as caught:
        await stub.DeleteCheckpoint(delete)
    assert caught.value.code is Code.FAILED_PRECONDITION
    assert (await stub.GetCheckpoint(GetCheckpointRequest(name=NAME))).checkpoint.pinned
    await stub.UpdateCheckpoint(UpdateCheckpointRequest(name=NAME, pinned=False))
    await stub.DeleteCheckpoint(delete)
    assert list((await stub.ListCheckpoints(ListCheckpointsRequest())).checkpoints) == []


async def test_marks_that_cannot_be_read_count_as_a_pin(stub: Stub, tmp_path: Path) -> None:
    await write(stub, parts(FILES))
    (tmp_path / FOLDER / "marks.json").write_text("{")
    with pytest.raises(LabError, match="is pinned"):
        await stub.DeleteCheckpoint(DeleteCheckpointRequest(name=NAME))
    request = UpdateCheckpointRequest(name=NAME, pinned=False, notes="")
    assert not (await stub.UpdateCheckpoint(request)).checkpoint.pinned
    await stub.DeleteCheckpoint(DeleteCheckpointRequest(name=NAME))


async def test_a_new_checkpoint_brings_no_marks(stub: Stub) -> None:
    sent = parts(FILES)
    marked = header(FILES)
    marked.pinned, marked.notes = True, "from afar"
    marked.delete_time.GetCurrentTime()
    sent[0].header.CopyFrom(marked)
    written = await write(stub, sent)
    assert (written.pinned, written.notes) == (False, "")
    assert not written.HasField("delete_time")


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (UpdateCheckpointRequest(name=NAME, labels={"Bad Name": "x"}), "labels"),
        (UpdateCheckpointRequest(name=NAME, labels={"a": "x" * 201}), "200 characters"),
        (UpdateCheckpointRequest(name=NAME, labels={f"k{i}": "x" for i in range(33)}), "32 labels"),
        (UpdateCheckpointRequest(name=NAME, notes="x" * 10_001), "10000 characters"),
        (UpdateCheckpointRequest(name=PEEK, pinned=True), "is a peek"),
    ],
)
async def test_marks_beyond_their_limits_are_refused_and_change_nothing(
    stub: Stub, request_: UpdateCheckpointRequest, why: str
) -> None:
    written = await write(stub, parts(FILES))
    with pytest.raises(LabError, match=why) as caught:
        await stub.UpdateCheckpoint(request_)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert (await stub.GetCheckpoint(GetCheckpointRequest(name=NAME))).checkpoint == written


async def test_what_is_not_there_cannot_be_pinned(stub: Stub) -> None:
    with pytest.raises(LabError) as caught:
        await stub.UpdateCheckpoint(UpdateCheckpointRequest(name=NAME, pinned=True))
    assert caught.value.code is Code.NOT_FOUND
