"""A read that is cut goes on where it was, in the same bytes or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.client.checkpoints import Checkpoints
from lab.errors import Code, LabError
from lab.rpc.reading import read_checkpoint
from lab.v1.checkpoint_service_pb2 import ReadCheckpointRequest
from tests.support.checkpoint_service import (
    NAME,
    PEEK,
    checkpoint_service,
    checkpoint_stub,
    parts,
    safetensors,
    write,
)
from tests.support.cutting_proxy import cutting_proxy

if TYPE_CHECKING:
    from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceAsyncStub as Stub

FILES = {
    "model.safetensors": safetensors(os.urandom(9_000_000)),
    "optim.safetensors": safetensors(os.urandom(5_000_000)),
    "state.json": b"{}",
}


async def _rest(stub: Stub, **where: str | int) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    request = ReadCheckpointRequest(name=NAME, **where)  # type: ignore[arg-type]
    async for part in stub.ReadCheckpoint(request):
        if part.HasField("chunk"):
            found[part.chunk.file] = found.get(part.chunk.file, b"") + part.chunk.data
    return found


async def test_what_is_still_due_is_sent(stub: Stub) -> None:
    written = await write(stub, parts(FILES))
    found = await _rest(stub, from_file="optim.safetensors", from_offset=4_000_000)
    optim = FILES["optim.safetensors"]
    assert found == {"optim.safetensors": optim[4_000_000:], "state.json": b"{}"}
    found = await _rest(stub, from_file="state.json", from_offset=2, digest=written.digest)
    assert found == {}


@pytest.mark.parametrize(
    ("where", "code", "why"),
    [
        ({"from_file": "x.json"}, Code.INVALID_ARGUMENT, "must be one of model.safetensors"),
        ({"from_offset": 10**9}, Code.INVALID_ARGUMENT, "must be at most 9"),
        ({"digest": "0" * 64}, Code.FAILED_PRECONDITION, "holds other bytes than before"),
    ],
)
async def test_what_cannot_go_on_is_refused(
    stub: Stub, where: dict[str, str | int], code: Code, why: str
) -> None:
    await write(stub, parts(FILES))
    with pytest.raises(LabError, match=why) as caught:
        await _rest(stub, **where)
    assert caught.value.code is code


async def test_a_client_goes_on_by_itself_after_cuts(tmp_path: Path) -> None:
    async with checkpoint_service(tmp_path / "home") as address:
        async with checkpoint_stub(address) as stub:
            await write(stub, parts(FILES))
        cuts = [2_000_000, 3_000_000, 6_000_000]
        async with cutting_proxy(address, cuts) as proxy:
            async with checkpoint_stub(f"127.0.0.1:{proxy.port}") as stub:
                await Checkpoints(stub).export("nano-1@10", tmp_path / "out")
            assert proxy.cuts == len(cuts), "the connection was not cut"
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == FILES


async def test_after_a_cut_other_bytes_are_not_taken_for_the_rest(tmp_path: Path) -> None:
    async with checkpoint_service(tmp_path) as address, checkpoint_stub(address) as direct:
        await write(direct, parts(FILES, name=PEEK))
        async with cutting_proxy(address, [5_000_000]) as proxy:
            async with checkpoint_stub(f"127.0.0.1:{proxy.port}") as stub:
                reading = aiter(read_checkpoint(stub, PEEK))
                await anext(reading)
                newer = {"model.safetensors": safetensors(os.urandom(100))}
                await write(direct, parts(newer, name=PEEK))
                with pytest.raises(LabError, match="holds other bytes than before"):
                    [part async for part in reading]
            assert proxy.cuts == 1, "the connection was not cut"
