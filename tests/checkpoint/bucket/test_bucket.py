"""A second place for checkpoints, against a local S3: whole or not there, and back again."""

from __future__ import annotations

import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from lab.errors import LabError
from lab.v1.checkpoint_pb2 import BUCKET_COPY_STATE_DONE, BUCKET_COPY_STATE_WAITING, Checkpoint
from lab.v1.checkpoint_service_pb2 import (
    DeleteCheckpointRequest,
    FetchCheckpointRequest,
    GetCheckpointRequest,
    ListCheckpointsRequest,
    UpdateCheckpointRequest,
)
from services.checkpoint.bucket.bucket import Bucket
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
from tests.support.nats import free_port
from tests.support.waiting import until

if TYPE_CHECKING:
    from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceAsyncStub as Stub

FILES = {"model.safetensors": safetensors(bytes(range(256)) * 9_000), "config.json": b"{}"}
PREFIX = "lab/nano-1/step-00000010"
pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def s3(port: int) -> Iterator[Any]:
    """A client of a server that runs, with the bucket made."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}")
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/reset", data=b"").close()
        client.create_bucket(Bucket="saved")
        yield client
    finally:
        client.close()
        server.stop()


@pytest.fixture
async def stub(tmp_path: Path, port: int) -> AsyncIterator[Stub]:
    async with _service(tmp_path, port) as address, checkpoint_stub(address) as open_stub:
        yield open_stub


def _service(home: Path, port: int) -> Any:
    return checkpoint_service(
        home,
        bucket_url="s3://saved/lab",
        bucket_endpoint=f"http://127.0.0.1:{port}",
        bucket_retry_secs=0.05,
    )


async def _get(stub: Stub) -> Checkpoint:
    return (await stub.GetCheckpoint(GetCheckpointRequest(name=NAME))).checkpoint


async def _copied(stub: Stub) -> bool:
    return (await _get(stub)).bucket_copy.state == BUCKET_COPY_STATE_DONE


def _objects(s3: Any) -> list[str]:
    return [each["Key"] for each in s3.list_objects_v2(Bucket="saved").get("Contents", [])]


async def test_a_copy_is_made_and_comes_back_as_it_was(s3: Any, stub: Stub) -> None:
    written = await write(stub, parts(FILES))
    await write(stub, parts(FILES, name=PEEK))
    await until(lambda: _copied(stub), secs=60)
    assert _objects(s3) == sorted(f"{PREFIX}/{name}" for name in (*FILES, "manifest.json"))
    in_bucket = await stub.ListCheckpoints(ListCheckpointsRequest(in_bucket=True))
    assert [each.name for each in in_bucket.checkpoints] == [NAME]
    with pytest.raises(LabError, match="exists with other contents"):
        await write(stub, parts({**FILES, "config.json": b"[]"}))
    await stub.DeleteCheckpoint(DeleteCheckpointRequest(name=NAME, permanently=True))
    assert len(_objects(s3)) == 3, "a deletion here must not reach the bucket"
    fetched = (await stub.FetchCheckpoint(FetchCheckpointRequest(name=NAME))).checkpoint
    assert fetched == written
    assert (await read(stub))[1] == FILES


async def test_what_was_said_about_it_goes_along_and_comes_back(s3: Any, stub: Stub) -> None:
    written = await write(stub, parts(FILES))
    mark = UpdateCheckpointRequest(name=NAME, pinned=True, notes="the good one")
    mark.labels["why"] = "talk"
    marked = (await stub.UpdateCheckpoint(mark)).checkpoint
    await until(lambda: _copied(stub), secs=60)
    assert f"{PREFIX}/marks.json" in _objects(s3)
    listed = (await stub.ListCheckpoints(ListCheckpointsRequest(in_bucket=True))).checkpoints
    assert [(each.pinned, each.notes, each.labels["why"]) for each in listed] == [
        (True, "the good one", "talk")
    ]

    # What is taken back is taken back there too, or it would be pinned again by a return.
    await stub.UpdateCheckpoint(UpdateCheckpointRequest(name=NAME, pinned=False))
    await until(lambda: _copied(stub), secs=60)
    await stub.DeleteCheckpoint(DeleteCheckpointRequest(name=NAME, permanently=True))
    fetched = (await stub.FetchCheckpoint(FetchCheckpointRequest(name=NAME))).checkpoint
    assert (fetched.pinned, fetched.notes, fetched.labels["why"]) == (False, "the good one", "talk")
    assert (fetched.digest, fetched.create_time) == (written.digest, marked.create_time)
    assert (await _get(stub)).notes == "the good one"
    assert (await read(stub))[1] == FILES


async def test_what_arrived_broken_in_the_bucket_does_not_come_back(
    s3: Any, stub: Stub, tmp_path: Path
) -> None:
    await write(stub, parts(FILES))
    await until(lambda: _copied(stub), secs=60)
    await stub.DeleteCheckpoint(DeleteCheckpointRequest(name=NAME, permanently=True))
    spoilt = FILES["model.safetensors"][:-1] + b"!"
    s3.put_object(Bucket="saved", Key=f"{PREFIX}/model.safetensors", Body=spoilt)
    with pytest.raises(LabError, match=r"model\.safetensors arrived with SHA-256"):
        await stub.FetchCheckpoint(FetchCheckpointRequest(name=NAME))
    s3.delete_object(Bucket="saved", Key=f"{PREFIX}/manifest.json")
    with pytest.raises(LabError, match="in the bucket"):
        await stub.FetchCheckpoint(FetchCheckpointRequest(name=NAME))
    assert [path for path in stored(tmp_path) if "nano-1" in path or ".tmp" in path] == []


async def test_while_the_bucket_is_away_saving_goes_on_and_says_why(
    port: int, stub: Stub, request: pytest.FixtureRequest
) -> None:
    await write(stub, parts(FILES))

    async def failed() -> bool:
        return (await _get(stub)).bucket_copy.failures >= 2

    await until(failed, secs=60)
    copy = (await _get(stub)).bucket_copy
    assert copy.state == BUCKET_COPY_STATE_WAITING
    assert copy.error.startswith("the bucket could not be used to read")
    assert str(port) not in copy.error, "an address reached the user"
    s3 = request.getfixturevalue("s3")
    await until(lambda: _copied(stub), secs=60)
    assert f"{PREFIX}/manifest.json" in _objects(s3)


async def test_a_restart_asks_the_bucket_and_copies_what_it_lacks(
    s3: Any, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with checkpoint_service(tmp_path) as address, checkpoint_stub(address) as stub:
        await write(stub, parts(FILES))
        with pytest.raises(LabError, match="copies to no bucket; set bucket_url"):
            await stub.FetchCheckpoint(FetchCheckpointRequest(name=NAME))
    puts: list[str] = []
    put = Bucket.put

    def counted(self: Bucket, folder: Path, checkpoint: Checkpoint, **rest: Any) -> None:
        puts.append(checkpoint.name)
        put(self, folder, checkpoint, **rest)

    monkeypatch.setattr(Bucket, "put", counted)
    for _ in range(2):
        async with _service(tmp_path, port) as address, checkpoint_stub(address) as stub:
            await until(lambda: _copied(stub), secs=60)
        assert len(_objects(s3)) == 3
    assert puts == [NAME], "what was there already was copied again"


async def test_what_is_damaged_is_not_copied(s3: Any, port: int, tmp_path: Path) -> None:
    async with checkpoint_service(tmp_path) as address, checkpoint_stub(address) as stub:
        await write(stub, parts(FILES))
    path = tmp_path / "checkpoints" / "nano-1" / "step-00000010" / "config.json"
    path.write_bytes(b"[]")
    async with _service(tmp_path, port) as address, checkpoint_stub(address) as stub:

        async def failed() -> bool:
            return "because it is damaged" in (await _get(stub)).bucket_copy.error

        await until(failed, secs=60)
    assert _objects(s3) == []
