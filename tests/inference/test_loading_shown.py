"""`lab generate` tells how far a model is while the inference service fetches it."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

import pytest

from lab.cli import loading
from lab.cli.progress import Steps
from lab.client import Addresses, connect
from lab.client import addresses as places
from lab.model import GPTModel
from lab.v1.checkpoint_pb2 import Checkpoint
from services.inference.models.arriving import Fetched
from services.inference.models.fetch import Fetcher, Progress

if TYPE_CHECKING:
    from tests.inference.conftest import SmallLab


async def test_a_terminal_sees_what_has_arrived(
    lab: SmallLab, model: GPTModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "runs/nano-1/checkpoints/step-00000010"
    await lab.save(model, name)
    told: list[tuple[str, float]] = []
    seen = asyncio.Event()

    def show(_: object, what: str, share: float = 0.0) -> None:
        told.append((what, share))
        seen.set()

    fetch = Fetcher.fetch

    async def halted(
        self: Fetcher, checkpoint: Checkpoint, progress: Progress | None = None
    ) -> Fetched:
        fetched = await fetch(self, checkpoint, progress)
        await seen.wait()
        return fetched

    monkeypatch.setattr(Steps, "show", show)
    monkeypatch.setattr(Fetcher, "fetch", halted)
    here: Addresses = dataclasses.replace(
        places.load(), inference=lab.address, checkpoint=lab.checkpoint_address
    )
    async with connect(here) as client:
        found = await loading.loaded(client, "nano-1@10")
    assert found.source == name
    assert told[0] == (f"loading {name}, 6.5 MB", 1.0)
