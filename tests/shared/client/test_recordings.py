"""Recordings through the client, from a trainer that wrote them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import lab.client
from lab.client import Addresses, Lab
from lab.client.arrays import numbers
from lab.client.recordings import health_rows
from lab.v1 import run_pb2
from tests.support.fake_checkpoint_service import FakeCheckpointService
from tests.support.trainer_service import tiny, trainer_service

pytestmark = pytest.mark.integration


@pytest.fixture
async def connected(tmp_path: Path) -> AsyncIterator[Lab]:
    async with (
        FakeCheckpointService() as checkpoints,
        trainer_service(tmp_path, checkpoint_address=checkpoints.address) as trainer,
        lab.client.connect(Addresses(trainer="127.0.0.1:1")) as found,
    ):
        yield Lab(
            addresses=found.addresses,
            trainer=trainer,
            checkpoint=found.checkpoint,
            inference=found.inference,
            analysis=found.analysis,
        )


async def test_what_was_recorded_is_read_as_numbers_and_text(connected: Lab) -> None:
    spec = tiny(4, health_every=2, probe_every=2)
    created = await connected.runs.create("nano", overrides=spec)
    run = await connected.runs.wait(created.name)
    assert run.state == run_pb2.RUN_STATE_SUCCEEDED
    health = await connected.recordings.health(run.name, "weight_rms")
    rows = health_rows(health)
    assert list(health.steps) == [1, 2, 4]
    assert rows["transformer.wte.weight"] == pytest.approx([0.02] * 3, rel=0.05)
    records = await connected.recordings.probes(run.name)
    assert [record.step for record in records] == [0, 1, 2, 4]
    text = (await connected.recordings.probe(run.name, 4)).texts[0]
    weights = numbers(text.attention).part(0, 0)
    assert sum(weights.part(7).flat) == pytest.approx(1, abs=0.02)
    batch = await connected.recordings.batch(run.name, 2, 1)
    assert [sequence.index for sequence in batch.sequences] == [1]
    assert len(batch.sequences[0].text) > 32
