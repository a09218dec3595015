"""A delete can be undone for a while, and the disk is given back in the end."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from nats.aio.msg import Msg

from lab.bus import Bus
from lab.bus.subjects import topic
from lab.errors import Code, LabError
from lab.v1.checkpoint_service_pb2 import (
    DeleteCheckpointRequest,
    GetDiskUseRequest,
    ListCheckpointsRequest,
    RestoreCheckpointRequest,
    UpdateCheckpointRequest,
)
from lab.v1.event_pb2 import Event
from tests.support.checkpoint_service import (
    NAME,
    checkpoint_service,
    checkpoint_stub,
    parts,
    read,
    safetensors,
    stored,
    write,
)
from tests.support.nats import NatsServer
from tests.support.waiting import until

if TYPE_CHECKING:
    from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceAsyncStub as Stub

FILES = {"model.safetensors": safetensors(b"weights"), "config.json": b"{}"}
OTHER = {"model.safetensors": safetensors(b"newer weights"), "config.json": b"{}"}
DAY_SECS = 86_400


async def _listed(stub: Stub, *, trashed: bool = False) -> list[str]:
    answer = await stub.ListCheckpoints(ListCheckpointsRequest(run="runs/nano-1", trashed=trashed))
    return [checkpoint.name for checkpoint in answer.checkpoints]


async def test_a_deleted_one_comes_back_as_it_was(stub: Stub) -> None:
    await write(stub, parts(FILES))
    marked = UpdateCheckpointRequest(name=NAME, notes="mine", labels={"a": "b"})
    before = (await stub.UpdateCheckpoint(marked)).checkpoint
    deleted = (await stub.DeleteCheckpoint(DeleteCheckpointRequest(name=NAME))).checkpoint
    assert deleted.expire_time.seconds - deleted.delete_time.seconds == 7 * DAY_SECS
    assert await _listed(stub) == []
    assert await _listed(stub, trashed=True) == [NAME]
    with pytest.raises(LabError) as caught:
        await read(stub)
    assert caught.value.code is Code.NOT_FOUND
    restored = await stub.RestoreCheckpoint(RestoreCheckpointRequest(name=NAME))
    assert restored.checkpoint == before
    assert await read(stub) == (before, FILES)
    assert await _listed(stub, trashed=True) == []
    with pytest.raises(LabError, match="is not in the trash") as caught:
        await stub.RestoreCheckpoint(RestoreCheckpointRequest(name=NAME))
    assert caught.value.code is Code.NOT_FOUND


async def test_a_name_that_was_taken_again_is_not_overwritten(stub: Stub) -> None:
    await write(stub, parts(FILES))
    await stub.DeleteCheckpoint(DeleteCheckpointRequest(name=NAME))
    await write(stub, parts(OTHER))
    with pytest.raises(LabError, match="saved again after it was deleted") as caught:
        await stub.RestoreCheckpoint(RestoreCheckpointRequest(name=NAME))
    assert caught.value.code is Code.ALREADY_EXISTS
    await stub.DeleteCheckpoint(DeleteCheckpointRequest(name=NAME))
    await stub.RestoreCheckpoint(RestoreCheckpointRequest(name=NAME))
    assert (await read(stub))[1] == OTHER  # the one deleted last


async def test_deleting_for_good_takes_it_out_of_the_trash_too(stub: Stub, tmp_path: Path) -> None:
    await write(stub, parts(FILES))
    await stub.DeleteCheckpoint(DeleteCheckpointRequest(name=NAME))
    assert len(stored(tmp_path)) > 0
    await stub.DeleteCheckpoint(DeleteCheckpointRequest(name=NAME, permanently=True))
    assert stored(tmp_path) == []


async def test_the_trash_survives_a_restart_and_is_emptied_by_age(tmp_path: Path) -> None:
    async with checkpoint_service(tmp_path) as address, checkpoint_stub(address) as stub:
        await write(stub, parts(FILES))
        await stub.DeleteCheckpoint(DeleteCheckpointRequest(name=NAME))
    async with checkpoint_service(tmp_path) as address, checkpoint_stub(address) as stub:
        assert await _listed(stub, trashed=True) == [NAME]
    async with checkpoint_service(tmp_path, trash_days=1e-9):
        await until(lambda: stored(tmp_path) == [])


async def test_the_trash_is_looked_through_again_and_again(tmp_path: Path) -> None:
    running = checkpoint_service(tmp_path, trash_days=0.3 / DAY_SECS, trash_look_secs=0.05)
    async with running as address, checkpoint_stub(address) as stub:
        await write(stub, parts(FILES))
        await stub.DeleteCheckpoint(DeleteCheckpointRequest(name=NAME))
        await until(lambda: stored(tmp_path) == [])


async def test_no_days_is_no_trash(tmp_path: Path) -> None:
    running = checkpoint_service(tmp_path, trash_days=0)
    async with running as address, checkpoint_stub(address) as stub:
        await write(stub, parts(FILES))
        answer = await stub.DeleteCheckpoint(DeleteCheckpointRequest(name=NAME))
        assert not answer.HasField("checkpoint")
        assert stored(tmp_path) == []


async def test_the_trash_makes_room_before_a_checkpoint_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is the third party here: what it says is free is made up, what is removed is not."""
    big = {"model.safetensors": safetensors(bytes(50_000)), "config.json": b"{}"}
    taken = sum(map(len, big.values()))

    def usage(path: Path) -> shutil._ntuple_diskusage:
        used = sum(file.stat().st_size for file in Path(path).rglob("*") if file.is_file())
        return shutil._ntuple_diskusage(100_000, used, 100_000 - used)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    async with checkpoint_service(tmp_path) as address, checkpoint_stub(address) as stub:
        await write(stub, parts(big))
        with pytest.raises(LabError, match=r"only .* may be used") as caught:
            await write(stub, parts(big, name="runs/nano-1/checkpoints/step-00000020"))
        assert caught.value.code is Code.RESOURCE_EXHAUSTED
        await stub.DeleteCheckpoint(DeleteCheckpointRequest(name=NAME))
        huge = {"model.safetensors": safetensors(bytes(200_000))}
        with pytest.raises(LabError, match=r"only .* may be used"):
            await write(stub, parts(huge, name="runs/nano-1/checkpoints/step-00000030"))
        use = await stub.GetDiskUse(GetDiskUseRequest())
        assert (use.trashed, use.trash_bytes) == (1, taken)  # emptying would not have been enough
        await write(stub, parts(big, name="runs/nano-1/checkpoints/step-00000020"))
        assert await _listed(stub, trashed=True) == []


async def test_disk_use_adds_up(stub: Stub) -> None:
    size = sum(map(len, FILES.values()))
    for run, step in (("nano-1", 1), ("nano-1", 2), ("nano-2", 1), ("nano-2", 2), ("nano-2", 3)):
        await write(stub, parts(FILES, name=f"runs/{run}/checkpoints/step-{step:08d}"))
    pinned = "runs/nano-1/checkpoints/step-00000001"
    await stub.UpdateCheckpoint(UpdateCheckpointRequest(name=pinned, pinned=True))
    gone = "runs/nano-2/checkpoints/step-00000001"
    await stub.DeleteCheckpoint(DeleteCheckpointRequest(name=gone))
    await write(stub, parts(FILES, name="runs/nano-2/checkpoints/step-00000004"))
    use = await stub.GetDiskUse(GetDiskUseRequest())
    assert [(each.run, each.checkpoints, each.size_bytes) for each in use.runs] == [
        ("runs/nano-2", 3, 3 * size),
        ("runs/nano-1", 2, 2 * size),
    ]
    assert [each.pinned_bytes for each in use.runs] == [0, size]
    assert (use.size_bytes, use.trashed, use.trash_bytes) == (5 * size, 1, size)
    assert use.free_bytes > 0


async def test_whoever_listens_hears_of_every_change(tmp_path: Path, nats: NatsServer) -> None:
    heard: list[str] = []

    async def hear(message: Msg) -> None:
        heard.append(Event.FromString(message.data).checkpoint_changed.checkpoint)

    home = tmp_path / "home"
    async with Bus(nats.url, name="listener") as bus:
        client = (await bus.connection()).client
        await client.subscribe(topic("shelf", "nano-1"), cb=hear)
        await client.flush()
        running = checkpoint_service(home, nats_url=nats.url)
        async with running as address, checkpoint_stub(address) as stub:
            await write(stub, parts(FILES))

            async def told() -> bool:
                """The service's own connection may take a moment."""
                await stub.UpdateCheckpoint(UpdateCheckpointRequest(name=NAME, notes="x"))
                return bool(heard)

            await until(told)
            for change in (
                lambda: stub.DeleteCheckpoint(DeleteCheckpointRequest(name=NAME)),
                lambda: stub.RestoreCheckpoint(RestoreCheckpointRequest(name=NAME)),
                lambda: stub.DeleteCheckpoint(DeleteCheckpointRequest(name=NAME, permanently=True)),
            ):
                await client.flush()
                heard.clear()
                await change()
                await until(lambda: heard == [NAME])
