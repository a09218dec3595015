"""lab.client against a real gRPC server that plays a trainer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

import lab.client
from lab.client import Addresses, Lab
from lab.client.runs import full_name
from lab.errors import Code, InvalidArgument, LabError, NotFound, PreconditionFailed
from lab.rpc.server import GrpcServer, Servicer
from lab.v1 import trainer_service_pb2 as messages
from lab.v1 import trainer_service_pb2_grpc as services
from lab.v1.event_pb2 import Event, RunStateChanged, StepMeasured
from lab.v1.run_pb2 import LiveSettings, Run, RunState
from lab.v1.run_spec_pb2 import BudgetSpec, DataSpec, HooksSpec, ModelSpec, RunSpec
from lab.v1.series_pb2 import SeriesSet
from tests.support.nats import free_port
from tests.support.waiting import until

NAME = "runs/nano-a"


class PlayedTrainer(services.TrainerServiceServicer):
    """Keeps the facts of one run; a test appends to them, watchers hear of it."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.runs = [Run(name=NAME, state=RunState.RUN_STATE_RUNNING)]
        self.facts: list[Event] = []
        self.watchers = 0
        self.grew = asyncio.Condition()

    async def add(self, *facts: Event) -> None:
        async with self.grew:
            for fact in facts:
                fact.run, fact.sequence = NAME, len(self.facts) + 1
                self.facts.append(fact)
            self.grew.notify_all()

    async def CreateRun(self, request: Any, context: Any) -> messages.CreateRunResponse:
        self.requests.append(request)
        return messages.CreateRunResponse(run=self.runs[0])

    async def ForkRun(self, request: Any, context: Any) -> messages.ForkRunResponse:
        self.requests.append(request)
        return messages.ForkRunResponse(run=self.runs[0])

    async def UpdateRun(self, request: Any, context: Any) -> messages.UpdateRunResponse:
        self.requests.append(request)
        return messages.UpdateRunResponse(run=self.runs[0])

    async def GetRun(self, request: Any, context: Any) -> messages.GetRunResponse:
        for run in self.runs:
            if run.name == request.name:
                return messages.GetRunResponse(run=run)
        raise NotFound(f"there is no {request.name}")

    async def ListRuns(self, request: Any, context: Any) -> messages.ListRunsResponse:
        first = int(request.page_token or 0)
        more = str(first + 2) if first + 2 < len(self.runs) else ""
        return messages.ListRunsResponse(runs=self.runs[first : first + 2], next_page_token=more)

    async def PauseRun(self, request: Any, context: Any) -> messages.PauseRunResponse:
        raise PreconditionFailed(
            f"{request.name} is SUCCEEDED; allowed: delete",
            metadata={"state": "SUCCEEDED", "allowed": "delete"},
        )

    async def StopRun(self, request: Any, context: Any) -> messages.StopRunResponse:
        self.requests.append(request)
        return messages.StopRunResponse(run=self.runs[0])

    async def QuerySeries(self, request: Any, context: Any) -> messages.QuerySeriesResponse:
        return messages.QuerySeriesResponse(
            series=SeriesSet(run=NAME, last_sequence=len(self.facts))
        )

    async def refuse(self, request: Any, context: Any) -> Any:
        raise NotFound("this trainer plays only a few calls")

    AdvanceRun = DeleteRun = ResumeRun = SnapshotRun = PeekRun = refuse
    RestoreRun = GetQueue = refuse
    ListFacts = ListPresets = ListCorpora = PreviewCorpus = refuse
    GetBatch = GetProbe = ListProbes = QueryHealth = refuse

    async def WatchRun(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self.watchers += 1
        try:
            seen = request.after_sequence
            while True:
                async with self.grew:
                    while len(self.facts) == seen:
                        await self.grew.wait()
                    new = self.facts[seen:]
                for fact in new:
                    yield messages.WatchRunResponse(event=fact)
                seen += len(new)
        finally:
            self.watchers -= 1


async def serve(trainer: PlayedTrainer, port: int) -> GrpcServer:
    servicer = Servicer(
        services.add_TrainerServiceServicer_to_server, trainer, "lab.v1.TrainerService"
    )
    server = GrpcServer([servicer], host="127.0.0.1", port=port)
    await server.start()
    return server


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def trainer(port: int) -> AsyncIterator[PlayedTrainer]:
    played = PlayedTrainer()
    server = await serve(played, port)
    yield played
    await server.stop(0)


@pytest.fixture
async def connected(port: int) -> AsyncIterator[Lab]:
    async with lab.client.connect(Addresses(trainer=f"127.0.0.1:{port}")) as found:
        yield found


def step(number: int) -> Event:
    return Event(step_measured=StepMeasured(step=number, loss=5.0))


def state(value: RunState.ValueType, *, ended_at: int = 0) -> Event:
    run = Run(name=NAME, state=value)
    if ended_at:
        run.end_time.FromSeconds(ended_at)
    return Event(run_state_changed=RunStateChanged(run=run))


def come_to_rest(trainer: PlayedTrainer, value: RunState.ValueType, *, ended_at: int) -> Event:
    event = state(value, ended_at=ended_at)
    trainer.runs[0].CopyFrom(event.run_state_changed.run)
    return event


async def test_what_is_asked_for_is_laid_over_the_preset(
    trainer: PlayedTrainer, connected: Lab
) -> None:
    run = await connected.runs.create(
        "nano",
        corpus="verdict",
        steps=50,
        overrides=RunSpec(budget=BudgetSpec(steps=7, batch=4)),
        settings=["model.layers=2"],
        prompts=["Once"],
    )
    assert run.name == NAME
    (request,) = trainer.requests
    assert request.preset == "nano"
    assert request.overrides == RunSpec(
        model=ModelSpec(layers=2),
        data=DataSpec(corpus="verdict"),
        budget=BudgetSpec(steps=50, batch=4),
        hooks=HooksSpec(sample_prompts=["Once"]),
    )


async def test_two_creations_are_two_even_when_alike(
    trainer: PlayedTrainer, connected: Lab
) -> None:
    await connected.runs.create("nano")
    await connected.runs.create("nano")
    first, second = (request.request_id for request in trainer.requests)
    assert first
    assert first != second


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"steps": -3}, "budget.steps"),
        ({"steps": 2**40}, "budget.steps"),
        ({"batch": True}, "budget.batch"),
        ({"settings": ["model.layer=6"]}, "model.layer"),
        ({"settings": ["layers"]}, "layers"),
    ],
)
async def test_what_a_field_cannot_hold_is_refused_before_anything_is_sent(
    trainer: PlayedTrainer, connected: Lab, arguments: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await connected.runs.create("nano", **arguments)
    assert refused.value.violations[0].field == field
    assert trainer.requests == []


@pytest.mark.parametrize("save", [None, True, False])
async def test_stop_leaves_the_choice_of_saving_open(
    trainer: PlayedTrainer, connected: Lab, save: bool | None
) -> None:
    await connected.runs.stop("nano-a", save=save)
    (request,) = trainer.requests
    assert request.name == NAME
    assert (request.save if request.HasField("save") else None) == save


async def test_a_refusal_arrives_as_the_error_it_was(
    trainer: PlayedTrainer, connected: Lab
) -> None:
    with pytest.raises(LabError) as refused:
        await connected.runs.pause(NAME)
    assert refused.value.code is Code.FAILED_PRECONDITION
    assert refused.value.metadata["allowed"] == "delete"


async def test_every_page_is_read(trainer: PlayedTrainer, connected: Lab) -> None:
    trainer.runs = [Run(name=f"runs/r{number}") for number in range(5)]
    assert list(await connected.runs.list()) == trainer.runs


async def test_nobody_there_is_unavailable(connected: Lab) -> None:
    with pytest.raises(LabError, match="trainer does not answer") as refused:
        await connected.runs.get("nano-a")
    assert refused.value.code is Code.UNAVAILABLE


async def watched(found: Lab, **arguments: Any) -> Sequence[int]:
    return [event.sequence async for event in found.runs.watch(NAME, **arguments)]


async def test_watching_ends_when_the_run_comes_to_rest(
    trainer: PlayedTrainer, connected: Lab
) -> None:
    watching = asyncio.create_task(watched(connected))
    await trainer.add(step(1), step(2))
    await trainer.add(come_to_rest(trainer, RunState.RUN_STATE_SUCCEEDED, ended_at=9))
    assert await asyncio.wait_for(watching, 10) == [1, 2, 3]
    await until(lambda: trainer.watchers == 0, what="the server's side has ended too")


async def test_an_end_that_was_followed_by_a_resume_is_not_the_end(
    trainer: PlayedTrainer, connected: Lab
) -> None:
    await trainer.add(step(1), state(RunState.RUN_STATE_INTERRUPTED, ended_at=5))
    await trainer.add(state(RunState.RUN_STATE_RUNNING), step(2))
    await trainer.add(come_to_rest(trainer, RunState.RUN_STATE_STOPPED, ended_at=9))
    assert await asyncio.wait_for(watched(connected), 10) == [1, 2, 3, 4, 5]


async def test_watching_goes_on_after_a_restart_without_loss_or_doubling(
    port: int, connected: Lab
) -> None:
    trainer = PlayedTrainer()
    server = await serve(trainer, port)
    seen: list[int] = []

    async def watch() -> None:
        async for event in connected.runs.watch(NAME):
            seen.append(event.sequence)

    watching = asyncio.create_task(watch())
    await trainer.add(step(1), step(2))
    await until(lambda: seen == [1, 2])
    await server.stop(0)
    await trainer.add(step(3))
    server = await serve(trainer, port)
    await trainer.add(step(4))
    await trainer.add(come_to_rest(trainer, RunState.RUN_STATE_SUCCEEDED, ended_at=9))
    await asyncio.wait_for(watching, 20)
    assert seen == [1, 2, 3, 4, 5]
    await server.stop(0)


async def test_patience_with_a_trainer_that_stays_away_ends(connected: Lab) -> None:
    with pytest.raises(LabError) as refused:
        await asyncio.wait_for(watched(connected, patience_secs=0.1), 20)
    assert refused.value.code is Code.UNAVAILABLE


async def test_watching_a_run_that_is_not_there_is_told_at_once(
    trainer: PlayedTrainer, connected: Lab
) -> None:
    with pytest.raises(LabError) as refused:
        await asyncio.wait_for(connected.runs.wait("nobody"), 10)
    assert refused.value.code is Code.NOT_FOUND


async def test_waiting_for_a_run_at_rest_returns_at_once(
    trainer: PlayedTrainer, connected: Lab
) -> None:
    come_to_rest(trainer, RunState.RUN_STATE_FAILED, ended_at=9)
    run = await asyncio.wait_for(connected.runs.wait("nano-a"), 10)
    assert run.state == RunState.RUN_STATE_FAILED


async def test_waiting_does_not_read_the_past(trainer: PlayedTrainer, connected: Lab) -> None:
    await trainer.add(*(step(number) for number in range(1, 101)))
    waiting = asyncio.create_task(connected.runs.wait("nano-a"))
    await until(lambda: trainer.watchers == 1)
    await trainer.add(come_to_rest(trainer, RunState.RUN_STATE_SUCCEEDED, ended_at=9))
    assert (await asyncio.wait_for(waiting, 10)).state == RunState.RUN_STATE_SUCCEEDED


def test_a_bare_id_and_a_name_mean_the_same() -> None:
    assert full_name("nano-a") == full_name("runs/nano-a") == NAME
    for wrong in ("", "runs/", "Nano", "../x", "runs/a/b", "models/a"):
        with pytest.raises(InvalidArgument):
            full_name(wrong)


async def test_a_fork_says_what_is_to_be_different(trainer: PlayedTrainer, connected: Lab) -> None:
    await connected.runs.fork(
        "nano-a@500", steps=900, learning_rate=0.1, settings=["budget.batch=8"], run_id="b"
    )
    [request] = trainer.requests
    assert request.checkpoint == f"{NAME}/checkpoints/step-00000500"
    assert (request.run_id, request.request_id.partition("-")[0]) == ("b", "fork")
    spec = request.overrides
    assert (spec.budget.steps, spec.budget.batch, spec.optimizer.learning_rate) == (900, 8, 0.1)
    assert not spec.HasField("model")


async def test_a_saving_policy_changes_only_what_is_given(
    trainer: PlayedTrainer, connected: Lab
) -> None:
    await connected.runs.set_saving("nano-a", every_steps=0, best=True)
    [request] = trainer.requests
    assert request.live == LiveSettings(checkpoint_every=0, checkpoint_best=True)
    assert not request.live.HasField("checkpoint_minutes")


async def test_a_run_that_is_about_to_resume_by_itself_is_still_watched(
    trainer: PlayedTrainer, connected: Lab
) -> None:
    cut = state(RunState.RUN_STATE_INTERRUPTED, ended_at=1)
    # That it resumes by itself, and when, is told a fact later; the run itself says so at once.
    due = state(RunState.RUN_STATE_INTERRUPTED, ended_at=1)
    due.run_state_changed.run.restart_time.FromSeconds(2)
    seen: list[RunState.ValueType] = []

    async def watch() -> None:
        async for event in connected.runs.watch("nano-a"):
            seen.append(event.run_state_changed.run.state)

    watching = asyncio.create_task(watch())
    await until(lambda: trainer.watchers, what="somebody watches")
    trainer.runs[0].CopyFrom(due.run_state_changed.run)
    await trainer.add(cut, due)
    await until(lambda: len(seen) == 2 or watching.done(), what="both were seen")
    assert not watching.done()
    await trainer.add(come_to_rest(trainer, RunState.RUN_STATE_SUCCEEDED, ended_at=3))
    await asyncio.wait_for(watching, 30)
    assert seen[2:] == [RunState.RUN_STATE_SUCCEEDED]
