"""Random verbs and accidents against real Runs: whatever is asked, the table holds."""

from __future__ import annotations

import asyncio
import itertools
import random
from pathlib import Path

import pytest

from lab.errors import Code, LabError
from lab.run_state import ENDED, state_word, verb_word
from lab.v1 import run_pb2
from lab.v1 import trainer_service_pb2 as messages
from lab.v1 import trainer_service_pb2_grpc as services
from services.trainer.records import state
from tests.support.fake_checkpoint_service import FakeCheckpointService
from tests.support.fake_worker import FakeWorker, FakeWorkers
from tests.support.trainer_service import (
    create,
    everything_said,
    get,
    reaches,
    tiny,
    trainer_service,
)
from tests.support.waiting import until

STEPS = 1_000_000  # never made in time: a run ends where an accident says, however fast the machine
SEQUENCES = 25
ASKS = 25

# From each state to those that a verb or a happening may lead to; staying is always possible.
MOVES = {(a, b) for (a, _), b in state.HAPPENINGS.items()} | {
    (a, b) for moves in state.VERBS.values() for a, b in moves.items()
}


ASKED = [verb for verb in run_pb2.RunVerb.values() if verb and verb != run_pb2.RUN_VERB_DELETE]


async def ask(trainer: services.TrainerServiceAsyncStub, verb: state.Verb) -> LabError | None:
    """The refusal, if there was one."""
    name = "runs/a"
    try:
        match verb_word(verb):
            case "pause":
                await trainer.PauseRun(messages.PauseRunRequest(name=name))
            case "resume":
                await trainer.ResumeRun(messages.ResumeRunRequest(name=name))
            case "advance":
                await trainer.AdvanceRun(messages.AdvanceRunRequest(name=name, steps=3))
            case "stop":
                await trainer.StopRun(messages.StopRunRequest(name=name))
            case "snapshot":
                await trainer.SnapshotRun(messages.SnapshotRunRequest(name=name))
            case "peek":
                await trainer.PeekRun(messages.PeekRunRequest(name=name))
            case other:
                raise AssertionError(f"nobody asks for {other}")
    except LabError as refusal:
        return refusal
    return None


@pytest.mark.parametrize("seed", range(SEQUENCES))
async def test_any_sequence_of_verbs_and_accidents_agrees_with_the_table(
    tmp_path: Path, checkpoints: FakeCheckpointService, seed: int
) -> None:
    chance = random.Random(seed)
    workers = FakeWorkers()
    accepted: set[str] = set()
    async with trainer_service(
        tmp_path, checkpoint_address=checkpoints.address, workers=workers
    ) as trainer:
        await create(trainer, "a", tiny(STEPS))
        await reaches(trainer, "a", run_pb2.RUN_STATE_RUNNING)
        for _ in range(ASKS):
            verb = chance.choice(ASKED) if accepted else run_pb2.RUN_VERB_PAUSE
            refusal = await ask(trainer, verb)
            if refusal is None:
                accepted.add(verb_word(verb))
            else:
                assert refusal.code is Code.FAILED_PRECONDITION, refusal.message
                assert verb_word(verb) not in refusal.metadata["allowed"].split(",")
            if chance.random() < 0.12 and workers.of("a").alive:
                _happen_to(workers.of("a"), chance.choice(("die", "fail", "end")))
            if chance.random() < 0.3:
                await asyncio.sleep(chance.random() * 0.01)
        await _bring_to_rest(trainer)
        facts = await trainer.ListFacts(
            messages.ListFactsRequest(name="runs/a", kinds=["run_state_changed"], limit=10_000)
        )
        everything = await everything_said(trainer, "a")
        await trainer.DeleteRun(messages.DeleteRunRequest(name="runs/a", permanently=True))

    states = [event.run_state_changed.run.state for event in facts.events]
    for a, b in itertools.pairwise(states):
        assert a == b or (a, b) in MOVES, f"{state_word(a)} -> {state_word(b)}, seed {seed}"
    for event in facts.events:
        run = event.run_state_changed.run
        assert list(run.allowed_verbs) == state.allowed(run)
    sequences = [event.sequence for event in everything]
    assert sequences == list(range(1, len(sequences) + 1))
    assert workers.at_once <= 1
    assert not any(worker.alive for _, worker in workers.started)
    assert accepted


def _happen_to(worker: FakeWorker, accident: str) -> None:
    match accident:
        case "die":
            worker.die(-9)
        case "fail":
            worker.fail("something broke")
        case _:
            worker.near_the_end()


async def _bring_to_rest(trainer: services.TrainerServiceAsyncStub) -> None:
    async def at_rest() -> bool:
        run = await get(trainer, "a")
        if run_pb2.RUN_VERB_STOP in run.allowed_verbs:
            await trainer.StopRun(messages.StopRunRequest(name="runs/a"))
        return run.state in ENDED

    await until(at_rest, secs=20)
