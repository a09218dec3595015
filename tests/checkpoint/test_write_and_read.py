"""Checkpoints go in and come out over real gRPC, and change only as a whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import manifest
from lab.errors import AlreadyExists, Code, LabError, NotFound
from lab.v1.checkpoint_pb2 import (
    CHECKPOINT_KIND_FULL,
    CHECKPOINT_KIND_PEEK,
    CHECKPOINT_KIND_WEIGHTS,
)
from lab.v1.checkpoint_service_pb2 import (
    DeleteCheckpointRequest,
    GetCheckpointRequest,
    ListCheckpointsRequest,
    ReadCheckpointRequest,
    VerifyCheckpointRequest,
)
from tests.support.checkpoint_service import (
    NAME,
    PEEK,
    checkpoint_service,
    checkpoint_stub,
    parts,
    read,
    safetensors,
    stored,
    write,
)

if TYPE_CHECKING:
    from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceAsyncStub as Stub

FILES = {
    "model.safetensors": safetensors(os.urandom(3_500_000)),
    "state.json": b'{"step": 10}',
    "config.json": b"{}",
}
SMALL = {"model.safetensors": safetensors(b"weights"), "config.json": b"{}"}
OTHER = {"model.safetensors": safetensors(b"newer weights"), "config.json": b"{}"}


async def test_weights_only_stand_beside_the_full_one_of_a_step(stub: Stub) -> None:
    weights = NAME.replace("step-", "weights-")
    await write(stub, parts(FILES))
    written = await write(stub, parts(SMALL, name=weights))
    assert (written.name, written.kind) == (weights, CHECKPOINT_KIND_WEIGHTS)
    listed = (await stub.ListCheckpoints(ListCheckpointsRequest())).checkpoints
    assert {each.name: each.kind for each in listed} == {
        NAME: CHECKPOINT_KIND_FULL,
        weights: CHECKPOINT_KIND_WEIGHTS,
    }
    _, found = await read(stub, weights)
    assert found == SMALL


async def test_weights_only_are_a_model_or_refused(stub: Stub) -> None:
    weights = NAME.replace("step-", "weights-")
    with pytest.raises(LabError, match=r"must have config\.json and model\.safetensors") as caught:
        await write(stub, parts({"state.json": b"{}"}, name=weights))
    assert caught.value.code is Code.INVALID_ARGUMENT
    sent = parts(SMALL, name=weights)
    sent[0].header.kind = CHECKPOINT_KIND_FULL
    with pytest.raises(LabError, match="does not fit the name"):
        await write(stub, sent)


async def test_several_mebibytes_come_back_as_they_went_in(stub: Stub, tmp_path: Path) -> None:
    written = await write(stub, parts(FILES, digests=False))
    assert written.kind == CHECKPOINT_KIND_FULL
    assert written.size_bytes == sum(map(len, FILES.values()))
    assert written.digest == manifest.digest(written.files)
    assert written.create_time.seconds > 0
    header, files = await read(stub)
    assert header == written
    assert files == FILES
    folder = tmp_path / "checkpoints" / "nano-1" / "step-00000010"
    assert manifest.damage(folder, manifest.read(folder)) == []


async def test_only_the_files_asked_for_are_sent(stub: Stub) -> None:
    await write(stub, parts(SMALL))
    _, files = await read(stub, files=("config.json",))
    assert files == {"config.json": b"{}"}
    with pytest.raises(LabError, match=r"no optim\.safetensors; it has config\.json") as caught:
        await read(stub, files=("optim.safetensors",))
    assert caught.value.code is Code.NOT_FOUND


async def test_the_same_bytes_twice_are_one_checkpoint(stub: Stub, tmp_path: Path) -> None:
    first = await write(stub, parts(SMALL))
    after_first = stored(tmp_path)
    assert await write(stub, parts(SMALL)) == first
    assert await write(stub, parts(SMALL, digests=False)) == first
    assert stored(tmp_path) == after_first


@pytest.mark.parametrize("digests", [True, False])
async def test_other_bytes_under_a_taken_name_are_refused(
    stub: Stub, tmp_path: Path, digests: bool
) -> None:
    first = await write(stub, parts(SMALL))
    before = stored(tmp_path)
    with pytest.raises(LabError, match="exists with other contents") as caught:
        await write(stub, parts(OTHER, digests=digests))
    assert caught.value.code is AlreadyExists.code
    assert stored(tmp_path) == before
    assert (await read(stub))[0] == first


async def test_a_peek_is_replaced_and_never_listed(stub: Stub, tmp_path: Path) -> None:
    first = await write(stub, parts(SMALL, name=PEEK))
    assert first.kind == CHECKPOINT_KIND_PEEK
    await write(stub, parts(OTHER, name=PEEK))
    assert (await read(stub, PEEK))[1] == OTHER
    assert list((await stub.ListCheckpoints(ListCheckpointsRequest())).checkpoints) == []
    assert len(list((tmp_path / "peeks" / "nano-1").iterdir())) == 1


async def test_a_peek_being_read_outlives_its_replacement(
    stub: Stub,
) -> None:
    big = {"model.safetensors": safetensors(os.urandom(20 << 20)), "config.json": b"{}"}
    await write(stub, parts(big, name=PEEK))
    answers = aiter(stub.ReadCheckpoint(ReadCheckpointRequest(name=PEEK)))
    await anext(answers)
    await write(stub, parts(SMALL, name=PEEK))
    files: dict[str, bytes] = {}
    async for part in answers:
        files[part.chunk.file] = files.get(part.chunk.file, b"") + part.chunk.data
    assert files == big
    assert (await read(stub, PEEK))[1] == SMALL


async def test_a_delete_during_a_read_does_not_cut_it(
    stub: Stub,
) -> None:
    # More than gRPC's flow-control window and the socket take, so the server is still reading.
    big = {"model.safetensors": safetensors(os.urandom(20 << 20))}
    await write(stub, parts(big))
    answers = aiter(stub.ReadCheckpoint(ReadCheckpointRequest(name=NAME)))
    await anext(answers)
    await stub.DeleteCheckpoint(DeleteCheckpointRequest(name=NAME))
    assert b"".join([part.chunk.data async for part in answers]) == big["model.safetensors"]
    with pytest.raises(LabError) as caught:
        await stub.GetCheckpoint(GetCheckpointRequest(name=NAME))
    assert caught.value.code is Code.NOT_FOUND


@pytest.mark.parametrize("name", [NAME, PEEK])
async def test_a_permanent_delete_leaves_nothing(stub: Stub, tmp_path: Path, name: str) -> None:
    await write(stub, parts(SMALL, name=name))
    await stub.DeleteCheckpoint(DeleteCheckpointRequest(name=name, permanently=True))
    assert stored(tmp_path) == []
    with pytest.raises(LabError, match=f"there is no {name}") as caught:
        await stub.DeleteCheckpoint(DeleteCheckpointRequest(name=name))
    assert caught.value.code is NotFound.code
    assert caught.value.metadata["name"] == name
    await write(stub, parts(OTHER, name=name))
    assert (await read(stub, name))[1] == OTHER


async def test_pages_go_from_newest_to_oldest_without_gap(
    stub: Stub,
) -> None:
    names = [f"runs/nano-{run}/checkpoints/step-{step:08d}" for step in (3, 1, 2) for run in (1, 2)]
    for name in names:
        await write(stub, parts(SMALL, name=name))
    found: list[str] = []
    token = ""
    while True:
        request = ListCheckpointsRequest(page_size=4, page_token=token)
        answer = await stub.ListCheckpoints(request)
        found += [checkpoint.name for checkpoint in answer.checkpoints]
        token = answer.next_page_token
        if not token:
            break
        # What is deleted between two pages must not shift the next page.
        await stub.DeleteCheckpoint(DeleteCheckpointRequest(name=names[-1]))
    assert found == names[::-1]
    one_run = await stub.ListCheckpoints(ListCheckpointsRequest(run="runs/nano-1"))
    assert [checkpoint.name for checkpoint in one_run.checkpoints] == names[-2::-2]
    with pytest.raises(LabError, match="page_size: must be at most 1,000, but is 1,001"):
        await stub.ListCheckpoints(ListCheckpointsRequest(page_size=1_001))


async def test_listing_opens_no_weight_file(stub: Stub, tmp_path: Path) -> None:
    await write(stub, parts(SMALL))
    (tmp_path / "checkpoints" / "nano-1" / "step-00000010" / "model.safetensors").unlink()
    answer = await stub.ListCheckpoints(ListCheckpointsRequest())
    assert [checkpoint.name for checkpoint in answer.checkpoints] == [NAME]
    with pytest.raises(LabError, match=r"model\.safetensors is missing") as caught:
        await read(stub)
    assert caught.value.code is Code.DATA_LOSS


async def test_a_flipped_bit_is_found(stub: Stub, tmp_path: Path) -> None:
    await write(stub, parts(SMALL))
    assert (await stub.VerifyCheckpoint(VerifyCheckpointRequest(name=NAME))).whole
    path = tmp_path / "checkpoints" / "nano-1" / "step-00000010" / "model.safetensors"
    spoilt = bytearray(path.read_bytes())
    spoilt[-1] ^= 1
    path.write_bytes(spoilt)
    answer = await stub.VerifyCheckpoint(VerifyCheckpointRequest(name=NAME))
    assert not answer.whole
    assert len(answer.damage) == 1
    assert answer.damage[0].startswith("model.safetensors: expected SHA-256 ")


async def test_an_unreadable_manifest_is_damage_and_not_listed(stub: Stub, tmp_path: Path) -> None:
    await write(stub, parts(SMALL))
    path = tmp_path / "checkpoints" / "nano-1" / "step-00000010" / manifest.MANIFEST
    path.write_text("{")
    assert list((await stub.ListCheckpoints(ListCheckpointsRequest())).checkpoints) == []
    answer = await stub.VerifyCheckpoint(VerifyCheckpointRequest(name=NAME))
    assert not answer.whole
    assert "manifest.json" in answer.damage[0]


async def test_a_restart_finds_everything_again(tmp_path: Path) -> None:
    async with checkpoint_service(tmp_path) as address, checkpoint_stub(address) as stub:
        written = await write(stub, parts(SMALL))
    async with checkpoint_service(tmp_path) as address, checkpoint_stub(address) as stub:
        answer = await stub.ListCheckpoints(ListCheckpointsRequest())
        assert list(answer.checkpoints) == [written]


async def test_two_services_on_one_folder_are_refused(tmp_path: Path) -> None:
    async with checkpoint_service(tmp_path):
        with pytest.raises(LabError, match="another checkpoint service"):
            async with checkpoint_service(tmp_path):
                pass
