"""One tensor, or some of its rows, comes out as it is in the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save

from lab.errors import Code, LabError
from lab.v1.checkpoint_service_pb2 import ReadTensorRequest, TensorHeader
from tests.support.checkpoint_service import NAME, PEEK, parts, write

if TYPE_CHECKING:
    from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceAsyncStub as Stub

TENSORS = {
    "big": torch.arange(600_000, dtype=torch.float32).reshape(2000, 300),  # more than two chunks
    "half": torch.arange(12, dtype=torch.float16).reshape(3, 2, 2),
    "single": torch.tensor(7.0),
    "empty": torch.empty(0, 4),
}
FILES = {"model.safetensors": save(TENSORS), "config.json": b"{}"}
ENTRY = Path("checkpoints", "nano-1", "step-00000010", "model.safetensors")


async def _tensor(stub: Stub, **request: object) -> tuple[TensorHeader, bytes]:
    header, data = TensorHeader(), b""
    wanted = ReadTensorRequest(**{"name": NAME, **request})  # type: ignore[arg-type]
    async for part in stub.ReadTensor(wanted):
        if part.HasField("header"):
            header = part.header
        else:
            assert 0 < len(part.data) <= 1 << 20
            data += part.data
    return header, data


@pytest.mark.parametrize("name", [NAME, PEEK])
@pytest.mark.parametrize("tensor", TENSORS)
async def test_a_whole_tensor(stub: Stub, name: str, tensor: str) -> None:
    await write(stub, parts(FILES, name=name))
    header, data = await _tensor(stub, name=name, tensor=tensor)
    value = TENSORS[tensor]
    assert list(header.shape) == list(value.shape)
    assert header.dtype == ("F16" if tensor == "half" else "F32")
    assert data == value.numpy().tobytes()


@pytest.mark.parametrize(("begin", "end"), [(0, 1), (7, 9), (1999, 2000), (3, 0), (5, 5)])
async def test_some_rows(stub: Stub, begin: int, end: int) -> None:
    await write(stub, parts(FILES))
    header, data = await _tensor(stub, tensor="big", row_from=begin, row_to=end)
    assert data == TENSORS["big"][begin : end or None].numpy().tobytes()
    assert (header.row_from, header.row_to) == (begin, end or 2000)


@pytest.mark.parametrize(
    ("request_", "code", "why"),
    [
        ({"tensor": "wte"}, Code.NOT_FOUND, "no tensor called 'wte' in model.safetensors; it has"),
        ({"tensor": "__metadata__"}, Code.NOT_FOUND, "no tensor called"),
        ({"tensor": "half", "row_to": 4}, Code.INVALID_ARGUMENT, "rows from 0 to 3"),
        ({"tensor": "half", "row_from": 4}, Code.INVALID_ARGUMENT, "rows from 0 to 3"),
        ({"tensor": "half", "row_from": 2, "row_to": 1}, Code.INVALID_ARGUMENT, "rows from 0"),
        ({"tensor": "half", "file": "config.json"}, Code.INVALID_ARGUMENT, "safetensors file"),
        ({"tensor": "half", "file": "x.safetensors"}, Code.NOT_FOUND, "has no x.safetensors"),
        ({"tensor": "half", "name": "runs/b/peek"}, Code.NOT_FOUND, "there is no runs/b/peek"),
    ],
)
async def test_what_is_not_there_is_refused(
    stub: Stub, request_: dict[str, object], code: Code, why: str
) -> None:
    await write(stub, parts(FILES))
    with pytest.raises(LabError) as caught:
        await _tensor(stub, **request_)
    assert caught.value.code is code
    assert why in caught.value.message


@pytest.mark.parametrize("keep", [0, 100, -1])
async def test_a_file_that_was_cut_is_damaged(stub: Stub, tmp_path: Path, keep: int) -> None:
    await write(stub, parts(FILES))
    (tmp_path / ENTRY).write_bytes(FILES["model.safetensors"][:keep])
    with pytest.raises(LabError) as caught:
        await _tensor(stub, tensor="half")
    assert caught.value.code is Code.DATA_LOSS


async def test_a_header_that_was_changed_is_damaged(stub: Stub, tmp_path: Path) -> None:
    await write(stub, parts(FILES))
    spoilt = bytearray(FILES["model.safetensors"])
    spoilt[8] = ord("[")
    (tmp_path / ENTRY).write_bytes(spoilt)
    with pytest.raises(LabError, match="verify the checkpoint") as caught:
        await _tensor(stub, tensor="half")
    assert caught.value.code is Code.DATA_LOSS
