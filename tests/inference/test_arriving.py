"""Weights on their way into memory: hashed, in order, and where a processor reads them fast."""

import hashlib
import json

import pytest
import torch
from safetensors.torch import save

from lab.errors import Damaged
from lab.manifest import CONFIG, WEIGHTS
from lab.model.files import data_begin, tensors_in
from lab.v1.checkpoint_pb2 import Checkpoint, CheckpointFile
from services.inference.models.arriving import Arriving, Fetched

TENSORS = {"a": torch.arange(12.0).view(3, 4), "b": torch.ones(5, dtype=torch.bfloat16)}
FILES = {WEIGHTS: save(TENSORS), CONFIG: b"{}"}


def _checkpoint() -> Checkpoint:
    files = [
        CheckpointFile(name=name, size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
        for name, data in FILES.items()
    ]
    return Checkpoint(name="runs/nano-1/peek", files=files)


@pytest.mark.parametrize("piece", [8, 13, 1 << 20])
def test_what_came_in_pieces_is_the_file(piece: int) -> None:
    fetched = _arrived(
        [
            (name, offset, data[offset : offset + piece])
            for name, data in FILES.items()
            for offset in range(0, len(data), piece)
        ]
    )
    assert fetched.weights.numpy().tobytes() == FILES[WEIGHTS]
    assert fetched.shape == FILES[CONFIG]
    begin = data_begin(FILES[WEIGHTS][:8])
    assert (fetched.weights.data_ptr() + begin) % 64 == 0
    found = tensors_in(fetched.weights)
    assert all(torch.equal(found[name], value) for name, value in TENSORS.items())


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([(WEIGHTS, 0, b"\0" * 8), (WEIGHTS, 9, b"x")], "with a gap at byte 8"),
        ([(WEIGHTS, 0, b"\0" * 8), (WEIGHTS, 0, b"x")], "with a gap at byte 8"),
        ([(CONFIG, 0, b"{}x")], "more than its 2 bytes"),
        ([("optimizer.safetensors", 0, b"x")], "was not asked for"),
        ([(CONFIG, 0, b"{}")], "but nothing came"),
        ([(CONFIG, 0, b"[]"), (WEIGHTS, 0, FILES[WEIGHTS])], "config.json should have SHA-256"),
        ([(CONFIG, 0, b"{}"), (WEIGHTS, 0, FILES[WEIGHTS][:-1])], "model.safetensors should have"),
    ],
)
def test_what_is_not_the_file_is_refused(pieces: list[tuple[str, int, bytes]], reason: str) -> None:
    with pytest.raises(Damaged, match=reason):
        _arrived(pieces)


def _arrived(pieces: list[tuple[str, int, bytes]]) -> Fetched:
    arriving = Arriving(_checkpoint())
    for piece in pieces:
        arriving.take(*piece)
    return arriving.fetched()


def _file(header: object, data: bytes = bytes(48)) -> torch.Tensor:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    whole = len(text).to_bytes(8, "little") + text + data
    return torch.frombuffer(bytearray(whole), dtype=torch.uint8)


def _entry(**changes: object) -> dict[str, object]:
    return {"t": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48], **changes}}


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (torch.zeros(3, dtype=torch.uint8), "no whole safetensors file"),
        (torch.full((9,), 255, dtype=torch.uint8), "no whole safetensors file"),
        (_file(b"[" * 50_000), "is no JSON"),
        (_file(b"[]"), "is no JSON object"),
        (_file(_entry(dtype="F8_E4M3")), "do not say what it is"),
        (_file(_entry(shape=[-3, -4])), "other bytes than its shape"),
        (_file(_entry(shape=[3, 1 << 62])), "other bytes than its shape"),
        (_file(_entry(data_offsets=[0, 52])), "other bytes than its shape"),
        (_file(_entry(data_offsets=[8, 56])), "other bytes than its shape"),
        (_file(_entry(data_offsets=[-48, 0])), "other bytes than its shape"),
        (_file(_entry(data_offsets=None)), "do not say what it is"),
        (_file({"t": 7}), "do not say what it is"),
    ],
)
def test_a_header_that_lies_is_refused(file: torch.Tensor, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        tensors_in(file)


def test_numbers_that_begin_anywhere_are_read_all_the_same() -> None:
    data = b"xxx" + TENSORS["a"].numpy().tobytes()
    found = tensors_in(_file(_entry(data_offsets=[3, 51]), data))
    assert torch.equal(found["t"], TENSORS["a"])
