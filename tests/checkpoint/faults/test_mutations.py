"""Hundreds of ways to spoil a saved checkpoint, and each is found before anybody uses it."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from lab.client.checkpoints import Checkpoints
from lab.errors import Code, Damaged, LabError
from lab.manifest import MANIFEST
from lab.v1.checkpoint_service_pb2 import (
    DeleteCheckpointRequest,
    GetCheckpointRequest,
    ListCheckpointsRequest,
    VerifyCheckpointRequest,
)
from services.checkpoint.shelf.verify import faults
from tests.support.checkpoint_service import NAME, parts, safetensors, write

if TYPE_CHECKING:
    from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceAsyncStub as Stub

SEED: Final = 20_261_124
PAGE_BYTES: Final = 4096
DRAW: Final = random.Random(SEED)
FILES = {
    "model.safetensors": safetensors(DRAW.randbytes(30_000)),
    "optim.safetensors": safetensors(DRAW.randbytes(60_000)),
    "rng-rank0.safetensors": safetensors(DRAW.randbytes(5_000)),
    "state.json": b'{"step": 10, "loss": 3.25}',
}
OLDER = "runs/nano-1/checkpoints/step-00000009"


def _any_file(folder: Path) -> Path:
    return DRAW.choice(sorted(folder.iterdir()))


def _cut(folder: Path) -> str:
    path = _any_file(folder)
    size = DRAW.randrange(path.stat().st_size)
    os.truncate(path, size)
    return f"{path.name} cut to {size}"


def _flip(folder: Path) -> str:
    path = _any_file(folder)
    data = bytearray(path.read_bytes())
    at = DRAW.randrange(len(data))
    data[at] ^= 1 << DRAW.randrange(8)
    path.write_bytes(data)
    return f"{path.name} flipped at {at}"


def _flip_in_header(folder: Path) -> str:
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[at := DRAW.randrange(60)] ^= 1 << DRAW.randrange(8)
    path.write_bytes(data)
    return f"header flipped at {at}"


def _zero_page(folder: Path) -> str:
    path = DRAW.choice(sorted(folder.glob("*.safetensors")))
    at = DRAW.randrange(0, path.stat().st_size, PAGE_BYTES)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(bytes(min(PAGE_BYTES, path.stat().st_size - at)))
    return f"{path.name} zeroed at {at}"


def _swap(folder: Path) -> str:
    one, other = DRAW.sample(sorted(folder.iterdir()), 2)
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)
    return f"{one.name} and {other.name} swapped"


def _swap_with_older(folder: Path) -> str:
    """Two checkpoints of one run, whose files have the same names and sizes."""
    name = DRAW.choice(["model.safetensors", MANIFEST])
    (folder / name).write_bytes((folder.parent / "older" / name).read_bytes())
    return f"{name} taken from the step before"


def _lose(folder: Path) -> str:
    path = _any_file(folder)
    path.unlink()
    return f"{path.name} gone"


def _grow(folder: Path) -> str:
    path = _any_file(folder)
    with path.open("ab") as file:
        file.write(bytes(1 + DRAW.randrange(PAGE_BYTES)))
    return f"{path.name} grown"


KINDS: Final[list[Callable[[Path], str]]] = [
    _cut, _flip, _flip_in_header, _zero_page, _swap, _swap_with_older, _lose, _grow,
]  # fmt: skip


async def _two(stub: Stub) -> None:
    await write(stub, parts(FILES))
    older = {**FILES, "model.safetensors": safetensors(DRAW.randbytes(30_000))}
    await write(stub, parts(older, name=OLDER))


@pytest.mark.parametrize("mutations", [200, pytest.param(1000, marks=pytest.mark.soak)])
async def test_each_of_many_mutations_is_found(stub: Stub, tmp_path: Path, mutations: int) -> None:
    await _two(stub)
    saved = tmp_path / "checkpoints" / "nano-1"
    shutil.copytree(saved / "step-00000009", tmp_path / "spoilt" / "older")
    folder = tmp_path / "spoilt" / "newest"
    whole = saved / "step-00000010"
    found = 0
    for number in range(mutations):
        shutil.copytree(whole, folder)
        assert faults(folder, NAME) == []
        what = KINDS[number % len(KINDS)](folder)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} != {
            path.name: path.read_bytes() for path in whole.iterdir()
        }, f"seed {SEED}, {number}: nothing was changed: {what}"
        damage = faults(folder, NAME)
        assert damage, f"seed {SEED}, {number}: not found: {what}"
        found += 1
        shutil.rmtree(folder)
    assert found == mutations


@pytest.mark.parametrize("spoil", KINDS, ids=[kind.__name__ for kind in KINDS])
async def test_through_the_service_it_is_told_and_the_one_before_is_whole(
    stub: Stub, tmp_path: Path, spoil: Callable[[Path], str]
) -> None:
    await _two(stub)
    folder = tmp_path / "checkpoints" / "nano-1" / "step-00000010"
    shutil.copytree(folder.parent / "step-00000009", folder.parent / "older")
    spoil(folder)
    shutil.rmtree(folder.parent / "older")
    verdict = await stub.VerifyCheckpoint(VerifyCheckpointRequest(name=NAME))
    assert not verdict.whole
    assert any(name in verdict.damage[0] for name in (*FILES, MANIFEST, "step-00000010"))
    listed = await stub.ListCheckpoints(ListCheckpointsRequest(run="runs/nano-1"))
    told = {each.name: list(each.damage) for each in listed.checkpoints}
    unreadable = {each.name for each in listed.unreadable}
    assert bool(told.get(NAME)) != (NAME in unreadable), "damage must be told one way"
    assert told[OLDER] == []
    saved = Checkpoints(stub)
    with pytest.raises(LabError) as caught:
        await saved.export("nano-1@10", tmp_path / "out")
    assert isinstance(caught.value, Damaged) or caught.value.code is Code.DATA_LOSS
    await saved.export("nano-1@9", tmp_path / "out")


async def test_a_verdict_is_kept_and_a_mended_file_is_whole_again(
    stub: Stub, tmp_path: Path
) -> None:
    await write(stub, parts(FILES))
    path = tmp_path / "checkpoints" / "nano-1" / "step-00000010" / "state.json"
    good = path.read_bytes()
    path.write_bytes(good[:-1] + b" ")
    for content, whole in ((good[:-1] + b" ", False), (good, True)):
        path.write_bytes(content)
        before = (await stub.GetCheckpoint(GetCheckpointRequest(name=NAME))).checkpoint
        answer = await stub.VerifyCheckpoint(VerifyCheckpointRequest(name=NAME))
        after = (await stub.GetCheckpoint(GetCheckpointRequest(name=NAME))).checkpoint
        assert (answer.whole, list(after.damage) == []) == (whole, whole)
        assert after.verify_time.ToNanoseconds() > before.verify_time.ToNanoseconds()


async def test_what_cannot_be_read_can_be_deleted_and_its_name_used_again(
    stub: Stub, tmp_path: Path
) -> None:
    await write(stub, parts(FILES))
    (tmp_path / "checkpoints" / "nano-1" / "step-00000010" / MANIFEST).write_text("{")
    await stub.DeleteCheckpoint(DeleteCheckpointRequest(name=NAME))
    listed = await stub.ListCheckpoints(ListCheckpointsRequest())
    assert (list(listed.checkpoints), list(listed.unreadable)) == ([], [])
    await write(stub, parts(FILES))
    assert (await stub.VerifyCheckpoint(VerifyCheckpointRequest(name=NAME))).whole
