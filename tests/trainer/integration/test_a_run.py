"""A run from its creation to its end, with a real worker, a real NATS and real gRPC."""

from pathlib import Path

import numpy as np
import pytest

from lab.bus import Bus
from lab.bus.streams import RUNS, STEPS
from lab.errors import Code, LabError
from lab.text import Tokenizer, open_splits
from lab.v1 import recording_pb2 as recording
from lab.v1 import run_pb2
from lab.v1.trainer_service_pb2 import ListFactsRequest, QuerySeriesRequest
from services.trainer.worker.batches import Batches
from tests.support.events import TailReader
from tests.support.fake_checkpoint_service import FakeCheckpointService
from tests.support.nats import NatsServer
from tests.support.trainer_service import (
    create,
    everything_said,
    reaches,
    tiny,
    trainer_service,
)
from tests.support.waiting import until

pytestmark = pytest.mark.integration


async def test_every_step_is_recorded_and_published(
    tmp_path: Path, nats: NatsServer, bus: Bus, checkpoints: FakeCheckpointService
) -> None:
    spec = tiny(30, evaluate_every=10, sample_every=15, checkpoint_on_stop=True)
    async with (
        trainer_service(
            tmp_path, nats_url=nats.url, checkpoint_address=checkpoints.address
        ) as trainer,
        TailReader(bus, STEPS, ["lab.v1.step.a"]) as steps,
        TailReader(bus, RUNS, ["lab.v1.*.a"]) as facts,
    ):
        await create(trainer, "a", spec)
        run = await reaches(trainer, "a", run_pb2.RUN_STATE_SUCCEEDED)
        await until(lambda: len(steps.seen) == 30)
        await until(
            lambda: facts.seen and facts.seen[-1][1].run_state_changed.run.state == run.state
        )
        answer = await trainer.QuerySeries(QuerySeriesRequest(name="runs/a"))
        listed = await trainer.ListFacts(ListFactsRequest(name="runs/a"))

    assert [event.step_measured.step for _, event in steps.seen] == list(range(1, 31))
    assert sorted(steps.sequences + facts.sequences) == list(
        range(1, len(steps.seen) + len(facts.seen) + 1)
    )
    states = [
        run_pb2.RunState.Name(event.run_state_changed.run.state)
        for _, event in facts.seen
        if event.HasField("run_state_changed")
    ]
    assert states[:3] == ["RUN_STATE_PENDING", "RUN_STATE_STARTING", "RUN_STATE_RUNNING"]
    assert states[-1] == "RUN_STATE_SUCCEEDED"
    series = {each.name: each for each in answer.series.series}
    assert list(series["loss"].steps) == list(range(1, 31))
    assert list(series["validation_loss"].steps) == [0, 10, 20, 30]
    assert answer.series.last_sequence == len(steps.seen) + len(facts.seen)
    assert [event.sequence for event in listed.events] == facts.sequences
    assert run.stats.step == 30
    assert run.latest_checkpoint == "runs/a/checkpoints/step-00000030"
    assert sorted(checkpoints.kept) == [run.latest_checkpoint]
    assert run.allowed_verbs == [run_pb2.RUN_VERB_DELETE]


async def test_what_a_run_recorded_beside_its_steps_can_be_asked_for(
    tmp_path: Path, checkpoints: FakeCheckpointService
) -> None:
    """Nothing of it was saved as a checkpoint."""
    spec = tiny(10, evaluate_every=5, health_every=5, probe_every=4)
    async with trainer_service(tmp_path, checkpoint_address=checkpoints.address) as trainer:
        await create(trainer, "a", spec)
        run = await reaches(trainer, "a", run_pb2.RUN_STATE_SUCCEEDED)
        health = await trainer.QueryHealth(recording.QueryHealthRequest(name="runs/a"))
        layers = await trainer.QueryHealth(
            recording.QueryHealthRequest(name="runs/a", metric="attention_entropy")
        )
        probes = await trainer.ListProbes(recording.ListProbesRequest(name="runs/a", scores=True))
        first = await trainer.GetProbe(recording.GetProbeRequest(name="runs/a", step=0))
        with pytest.raises(LabError, match="nearest is step 2") as missing:
            await trainer.GetProbe(recording.GetProbeRequest(name="runs/a", step=3))
        batch = await trainer.GetBatch(recording.GetBatchRequest(name="runs/a", step=7))
        with pytest.raises(LabError, match="step 11"):
            await trainer.GetBatch(recording.GetBatchRequest(name="runs/a", step=11))
        with pytest.raises(LabError, match="sequences"):
            await trainer.GetBatch(recording.GetBatchRequest(name="runs/a", step=7, sequences=[2]))
        series = await trainer.QuerySeries(
            QuerySeriesRequest(
                name="runs/a", series=["bits_per_byte", "interval_tokens_per_sec", "clip_share"]
            )
        )
        said = await everything_said(trainer, "a")
    assert not checkpoints.kept

    assert list(health.steps) == [1, 5, 10]
    assert health.rows[0] == "transformer.wte.weight"
    assert list(health.values.shape) == [len(health.rows), 3]
    ratios = np.frombuffer(health.values.data, "<f4").reshape(-1, 3)
    assert 1e-6 < ratios[0, 2] < 1
    assert list(layers.rows) == ["layer 0"]
    assert 0 < np.frombuffer(layers.values.data, "<f4")[0] <= 1

    assert list(probes.steps) == [0, 1, 2, 4, 8, 10]
    assert [record.step for record in probes.records] == [0, 1, 2, 4, 8, 10]
    assert not probes.records[0].texts[0].HasField("attention")
    assert list(first.record.texts[0].attention.shape) == [1, 2, 32, 32]
    assert first.record.texts[0].losses == probes.records[0].texts[0].losses
    assert missing.value.code is Code.NOT_FOUND
    told = [event.probe_recorded for event in said if event.HasField("probe_recorded")]
    assert [each.step for each in told] == [0, 1, 2, 4, 8, 10]
    assert not any(each.HasField("record") for each in told)  # it is in the file alone

    # The same text as the worker gave the model.
    splits = open_splits(tmp_path / "corpora" / run.spec.data.corpus, validation_fraction=0.1)
    batches = Batches(
        splits.train,
        fingerprint=splits.fingerprint,
        seed=run.spec.data.seed,
        context=32,
        batch=2,
    )
    inputs, targets = next(batches.of_step(7, micro_batch=2))
    assert (batch.data_position, batch.batch, batch.epoch) == (12, 2, 0)
    losses = [sequence.loss for sequence in batch.sequences]
    assert losses == sorted(losses, reverse=True)
    assert {sequence.index for sequence in batch.sequences} == {0, 1}
    for sequence in batch.sequences:
        ids = [*inputs[sequence.index].tolist(), int(targets[sequence.index, -1])]
        assert sequence.text == Tokenizer().decode(ids)

    bits, speed, clip = series.series.series
    assert list(bits.steps) == [0, 5, 10]
    assert 1 < bits.values[0] < 8
    assert list(speed.steps) == [10]
    assert list(clip.steps) == list(range(1, 11))
    assert max(clip.values) <= 1
