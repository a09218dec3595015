"""The service is killed with -9 while it saves, lists, reads, verifies, marks, deletes, restores
and retires, all at once. What was acknowledged holds; what was not has happened or has not."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from lab import manifest
from lab.errors import LabError
from lab.v1 import checkpoint_service_pb2 as messages
from lab.v1 import run_pb2
from lab.v1.run_pb2 import Run
from services.trainer.saved import sending
from services.trainer.saved.uploads import Uploads
from tests.support.checkpoint_service import (
    checkpoint_stub,
    parts,
    read,
    safetensors,
    service_process,
    write,
)
from tests.support.nats import free_port
from tests.support.uploads import Uploaded, staged_in
from tests.support.waiting import until

if TYPE_CHECKING:
    from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceAsyncStub as Stub
    from services.trainer.records.store import Store

FILES = {"model.safetensors": safetensors(bytes(range(256)) * 2_000), "config.json": b"{}"}
KINDS = 11  # of calls
NOTED, MOVED = "runs/noted/checkpoints/step-00000001", "runs/moved/checkpoints/step-00000001"


class Mix:
    """One caller of each kind, each with names of its own; `began` and `ended` count calls."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self.began: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.cut: Counter[str] = Counter()  # not acknowledged
        self.noted = 0  # the newest note that was acknowledged
        self.moved = {"there"}  # where MOVED may be: there, trash
        self.gone: set[str] = set()  # acknowledged as removed for good
        self.retired: list[int] = []  # steps of runs/retired that were acknowledged
        self.over = False
        self._number = 0

    def under_way(self) -> Counter[str]:
        return self.began - self.ended - self.cut

    async def call(self, kind: str, work: Callable[[], Awaitable[object]]) -> bool:
        """Whether it was acknowledged; a kill is the only reason why it may not be."""
        self.began[kind] += 1
        try:
            await work()
        except LabError as error:
            if error.code not in sending.PASSING:
                raise
            self.cut[kind] += 1
            return False
        self.ended[kind] += 1
        return True

    async def look(self) -> None:
        stub = self._stub
        await self.call("list", lambda: stub.ListCheckpoints(messages.ListCheckpointsRequest()))
        await self.call("disk use", lambda: stub.GetDiskUse(messages.GetDiskUseRequest()))

    async def check(self) -> None:
        async def verify() -> None:
            request = messages.VerifyCheckpointRequest(name=NOTED)
            assert (await self._stub.VerifyCheckpoint(request)).whole

        await self.call("verify", verify)

    async def load(self) -> None:
        async def whole() -> None:
            assert (await read(self._stub, NOTED))[1] == FILES

        await self.call("read", whole)

    async def note(self) -> None:
        text = str(self.noted + 1)
        request = messages.UpdateCheckpointRequest(name=NOTED, notes=text, pinned=True)
        if await self.call("mark", lambda: self._stub.UpdateCheckpoint(request)):
            self.noted += 1

    async def move(self) -> None:
        stub, before = self._stub, self.moved
        if before == {"there"}:
            request = messages.DeleteCheckpointRequest(name=MOVED)
            done = await self.call("delete", lambda: stub.DeleteCheckpoint(request))
            self.moved = {"trash"} if done else {"there", "trash"}
        else:
            back = messages.RestoreCheckpointRequest(name=MOVED)
            done = await self.call("restore", lambda: stub.RestoreCheckpoint(back))
            self.moved = {"there"} if done else {"there", "trash"}

    async def come_and_go(self) -> None:
        self._number += 1
        name = f"runs/gone/checkpoints/step-{self._number:08d}"
        if not await self.call("write", lambda: write(self._stub, parts(FILES, name=name))):
            return
        request = messages.DeleteCheckpointRequest(name=name, permanently=True)
        if await self.call("delete for good", lambda: self._stub.DeleteCheckpoint(request)):
            self.gone.add(name)

    async def retire(self) -> None:
        step = len(self.retired) + self.cut["write to retire"] + 1
        sent = parts(FILES, name=f"runs/retired/checkpoints/step-{step:08d}")
        sent[0].header.step = step
        if await self.call("write to retire", lambda: write(self._stub, sent)):
            self.retired.append(step)
        request = messages.ApplyRetentionRequest(
            run="runs/retired", policy=messages.RetentionPolicy(keep_last=2)
        )
        await self.call("retention", lambda: self._stub.ApplyRetention(request))


def _unfinished(home: Path) -> set[Path]:
    return {*home.glob("checkpoints/.tmp-*")}


def _folders(home: Path) -> dict[str, str]:
    """Every checkpoint on disk, each of them whole, and whether it is "there" or in the "trash"."""
    found = {}
    for word, pattern in (("there", "[a-z]*/*"), ("trash", ".trash/*")):
        for folder in home.glob(f"checkpoints/{pattern}"):
            checkpoint = manifest.read(folder)
            assert manifest.damage(folder, checkpoint) == []
            assert checkpoint.name not in found
            found[checkpoint.name] = word
    return found


async def _answers(stub: Stub) -> bool:
    try:
        await stub.GetDiskUse(messages.GetDiskUseRequest())
    except LabError:
        return False
    return True


async def _check(stub: Stub, mix: Mix, home: Path, *, left: set[Path]) -> None:
    """After a start: nothing is half, and nothing that was acknowledged is undone."""
    await until(lambda: _answers(stub), secs=60)
    assert not _unfinished(home) & left, "what a kill left was not removed"
    before = _folders(home)
    listed = (await stub.ListCheckpoints(messages.ListCheckpointsRequest())).checkpoints
    after = _folders(home)  # the trainer's uploads go on all the time
    names = {each.name for each in listed}
    assert {name for name, word in before.items() if word == "there"} <= names
    assert names <= {name for name, word in after.items() if word == "there"}

    [noted] = [each for each in listed if each.name == NOTED]
    assert noted.pinned or not mix.noted
    assert int(noted.notes or 0) in (mix.noted, mix.noted + 1)
    mix.noted = int(noted.notes or 0)
    assert after[MOVED] in mix.moved
    mix.moved = {after[MOVED]}
    assert not mix.gone & after.keys()
    trash = messages.ListCheckpointsRequest(run="runs/retired", trashed=True)
    retired = {each.step for each in (await stub.ListCheckpoints(trash)).checkpoints}
    kept = {each.step for each in listed if each.name.startswith("runs/retired/")}
    assert set(mix.retired) <= kept | retired
    assert set(sorted(kept | retired)[-2:]) <= kept, "retention took one of the last two"


async def _until_over(mix: Mix, work: Callable[[], Awaitable[None]]) -> None:
    while not mix.over:
        await work()


@pytest.mark.integration
@pytest.mark.parametrize(
    "kills", [2, pytest.param(20, marks=[pytest.mark.soak, pytest.mark.timeout(1_200)])]
)
async def test_whatever_it_was_doing_when_it_was_killed(tmp_path: Path, kills: int) -> None:
    home, port, draw = tmp_path / "home", free_port(), random.Random(3)
    home.mkdir()
    run = Run(name="runs/trained", state=run_pb2.RUN_STATE_RUNNING)
    saved = Uploaded()
    flags = ("--free-space-floor-bytes", "0", "--port", str(port))
    async with checkpoint_stub(f"127.0.0.1:{port}") as stub:
        mix = Mix(stub)
        uploads = Uploads(stub, cast("Store", saved), kept=saved.keep, lost=saved.lose)
        with service_process("checkpoint", home, *flags):
            for name in (NOTED, MOVED):
                await write(stub, parts(FILES, name=name))
        left: set[Path] = set()
        hit: Counter[str] = Counter()
        for kill in range(1, kills + 1):
            with service_process("checkpoint", home, *flags) as (process, _):
                await _check(stub, mix, home, left=left)
                # As a trainer sends them: tried again until they are there.
                uploads.put(run, staged_in(tmp_path / f"staged-{kill}", kill))
                kinds = (mix.look, mix.check, mix.load, mix.note, mix.move)
                calling = [
                    asyncio.create_task(_until_over(mix, work))
                    for work in (*kinds, mix.come_and_go, mix.retire)
                ]
                target = mix.ended.total() + draw.randrange(20, 60)
                await until(
                    lambda: (
                        (mix.ended.total() >= target and len(mix.ended) == KINDS)  # noqa: B023
                        or any(task.done() for task in calling)  # noqa: B023
                    ),
                    secs=60,
                )
                under_way = mix.under_way()
                process.send_signal(signal.SIGKILL)
                assert process.wait() == -signal.SIGKILL
                assert under_way, "nothing was under way when it was killed"
                hit += under_way
                mix.over = True
                await asyncio.wait_for(asyncio.gather(*calling), 60)
                mix.over = False
                left = _unfinished(home)
        with service_process("checkpoint", home, *flags):
            await _check(stub, mix, home, left=left)
            await asyncio.wait_for(uploads.idle("trained"), 60)
            assert not _unfinished(home)
    assert saved.kept == list(range(1, kills + 1)), "a run's own checkpoint was lost on the way"
    print(f"\n{kills} kills during {hit.total()} of {mix.ended.total()} calls: {dict(hit)}")
