"""A run from its creation to its end, with a real worker, a real NATS and real gRPC."""

from pathlib import Path

import pytest

from lab.bus import Bus
from lab.bus.streams import RUNS, STEPS
from lab.v1 import run_pb2
from lab.v1.trainer_service_pb2 import ListFactsRequest, QuerySeriesRequest
from tests.support.events import TailReader
from tests.support.fake_checkpoint_service import FakeCheckpointService
from tests.support.nats import NatsServer
from tests.support.trainer_service import create, reaches, tiny, trainer_service
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
