"""Whoever writes may go away at any moment: what is there then is whole, or there is nothing."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import manifest
from lab.v1.checkpoint_service_pb2 import ListCheckpointsRequest
from tests.support.checkpoint_service import parts, safetensors, write
from tests.support.waiting import until

if TYPE_CHECKING:
    from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceAsyncStub as Stub

FILES = {f"{word}.safetensors": safetensors(bytes(2_000)) for word in ("model", "optim", "more")}


def _files(home: Path) -> int:
    """Half or whole, on their way and where they belong; folders may vanish meanwhile."""
    return sum(len(files) for _, _, files in os.walk(home / "checkpoints"))


@pytest.mark.parametrize("times", [40, pytest.param(500, marks=pytest.mark.soak)])
async def test_given_up_at_any_moment_it_is_whole_or_not_there(
    stub: Stub, tmp_path: Path, times: int
) -> None:
    """Also between the last byte and the name, which a thread gives that nobody can call back."""
    draw = random.Random(1)
    given_up = 0
    for number in range(times):
        name = f"runs/run-{number}/checkpoints/step-00000010"
        before = _files(tmp_path)
        writing = asyncio.create_task(write(stub, parts(FILES, name=name)))
        files = before + draw.randrange(len(FILES) + 2)
        await until(lambda: _files(tmp_path) >= files or writing.done())  # noqa: B023
        writing.cancel()
        [ending] = await asyncio.gather(writing, return_exceptions=True)
        given_up += isinstance(ending, asyncio.CancelledError)
    assert given_up, "every write was through before it was given up"
    await until(lambda: not list(tmp_path.glob("checkpoints/.tmp-*")), what="nothing is under way")
    listed = await stub.ListCheckpoints(ListCheckpointsRequest())
    assert [each.name for each in listed.unreadable] == []
    for checkpoint in listed.checkpoints:
        run, folder = checkpoint.name.split("/")[1::2]
        assert manifest.damage(tmp_path / "checkpoints" / run / folder, checkpoint) == []
    for number in range(times):  # and can be written again, whatever became of it
        await write(stub, parts(FILES, name=f"runs/run-{number}/checkpoints/step-00000010"))
