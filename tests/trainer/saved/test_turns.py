"""Checkpoints are sent slowly beside training, and at once when somebody waits for them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from lab.v1 import run_pb2
from lab.v1.run_pb2 import Run
from services.trainer.saved import turns
from services.trainer.saved.turns import Turns
from services.trainer.saved.uploads import Uploads
from tests.support.checkpoint_service import checkpoint_service, checkpoint_stub
from tests.support.uploads import Uploaded, staged_in
from tests.support.waiting import until

if TYPE_CHECKING:
    from services.trainer.records.store import Store

MEGABYTE = 1_000_000


async def test_a_share_of_the_time_is_taken_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "BYTES_PER_SEC", 10 * MEGABYTE)
    loop = asyncio.get_running_loop()
    slow = Turns(MEGABYTE, beside=lambda: True)
    began = loop.time()
    for sent in range(1, 4):
        await slow.rest(sent * MEGABYTE)
    assert loop.time() - began >= 0.19  # two after the first, each a tenth of a second
    # A stream that broke off begins again, at its pace.
    began = loop.time()
    for sent in range(1, 3):
        await slow.rest(sent * MEGABYTE)
    assert loop.time() - began >= 0.09


@pytest.mark.parametrize("why", ["hurried", "nobody trains", "large"])
async def test_nothing_is_held_back_that_need_not_be(
    monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setattr(turns, "BYTES_PER_SEC", 1)
    slow = Turns(10**15 if why == "large" else 1, beside=lambda: why != "nobody trains")
    if why == "hurried":
        slow.hurry()
    async with asyncio.timeout(60):  # a byte in a second: half a month
        for sent in (1, 2, 3):
            await slow.rest(sent * MEGABYTE // 2)


async def test_who_waits_and_what_comes_next_end_the_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "BYTES_PER_SEC", 1)
    monkeypatch.setattr("services.trainer.saved.uploads.MOST_SECS", 1e9)
    told = Uploaded()
    run = Run(name="runs/a", state=run_pb2.RUN_STATE_RUNNING)
    async with checkpoint_service(tmp_path) as address, checkpoint_stub(address) as stub:
        uploads = Uploads(stub, cast("Store", told), kept=told.keep, lost=told.lose)
        first = uploads.put(run, staged_in(tmp_path / "1", 1, beside_training=True))
        await until(lambda: bool(list(tmp_path.glob("checkpoints/.tmp-*/model*"))), secs=60)
        assert not first.done()
        second = uploads.put(run, staged_in(tmp_path / "2", 2, beside_training=True))
        await asyncio.wait_for(first, 60)
        assert not second.done()
        await asyncio.wait_for(uploads.idle("a"), 60)
    assert told.kept == [1, 2]
