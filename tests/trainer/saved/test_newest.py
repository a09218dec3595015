"""A run knows its newest checkpoint also after somebody else deleted or restored one."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import Code, LabError
from lab.v1 import run_pb2
from lab.v1 import trainer_service_pb2 as messages
from lab.v1 import trainer_service_pb2_grpc as services
from lab.v1.checkpoint_service_pb2 import DeleteCheckpointRequest, RestoreCheckpointRequest
from tests.support.checkpoint_service import checkpoint_service, checkpoint_stub
from tests.support.fake_worker import FakeWorkers
from tests.support.nats import NatsServer
from tests.support.trainer_service import create, reaches, tiny, trainer_service
from tests.support.waiting import until


async def test_deleted_by_somebody_else(
    tmp_path: Path, nats: NatsServer, workers: FakeWorkers
) -> None:
    """The real checkpoint service, its news over a real NATS; NATS dies and comes back between."""
    async with (
        checkpoint_service(tmp_path / "saved", nats_url=nats.url) as address,
        checkpoint_stub(address) as saved,
        trainer_service(
            tmp_path / "home", nats_url=nats.url, checkpoint_address=address, workers=workers
        ) as trainer,
    ):

        async def newest() -> str:
            run = (await trainer.GetRun(messages.GetRunRequest(name="runs/a"))).run
            return run.latest_checkpoint

        async def newest_is(name: str) -> None:
            async def so() -> bool:
                return await newest() == name

            await until(so, what=f"the newest checkpoint is {name or 'none'}")

        await create(trainer, "a", tiny(1000))
        await reaches(trainer, "a", run_pb2.RUN_STATE_RUNNING)
        await trainer.PauseRun(messages.PauseRunRequest(name="runs/a"))
        await reaches(trainer, "a", run_pb2.RUN_STATE_PAUSED)
        snapshot = messages.SnapshotRunRequest(name="runs/a")
        first = (await trainer.SnapshotRun(snapshot)).checkpoint
        await trainer.AdvanceRun(messages.AdvanceRunRequest(name="runs/a", steps=3))

        async def advanced() -> bool:
            run = (await trainer.GetRun(messages.GetRunRequest(name="runs/a"))).run
            return run.stats.step == first.step + 3

        await until(advanced)
        await reaches(trainer, "a", run_pb2.RUN_STATE_PAUSED)
        second = (await trainer.SnapshotRun(snapshot)).checkpoint
        await trainer.StopRun(messages.StopRunRequest(name="runs/a", save=False))
        await reaches(trainer, "a", run_pb2.RUN_STATE_STOPPED)
        assert await newest() == second.name

        async def delete(name: str) -> None:
            await saved.DeleteCheckpoint(DeleteCheckpointRequest(name=name))

        await delete(second.name)
        await newest_is(first.name)
        await saved.RestoreCheckpoint(RestoreCheckpointRequest(name=second.name))
        await newest_is(second.name)
        await delete(first.name)
        assert await newest() == second.name

        await nats.kill()
        await delete(second.name)  # nobody hears it
        await nats.start()
        await newest_is("")
        run = (await trainer.GetRun(messages.GetRunRequest(name="runs/a"))).run
        assert run_pb2.RUN_VERB_RESUME not in run.allowed_verbs
        with pytest.raises(LabError, match="has no full checkpoint to go on from"):
            await trainer.ResumeRun(messages.ResumeRunRequest(name="runs/a"))


async def test_no_run_is_called_as_the_place_of_imports(
    trainer: services.TrainerServiceAsyncStub,
) -> None:
    with pytest.raises(LabError, match="where weights from elsewhere are kept") as caught:
        await create(trainer, "imports")
    assert caught.value.code is Code.INVALID_ARGUMENT
