"""How long a first token takes while a run trains, and what being looked at costs that run.

`make bench t=tests/benchmarks/test_first_token.py`. The services are processes as in a cluster, the
run is the nano preset. Between two looks a run that can be looked at does one thing more than one
that cannot: it asks after each step whether a look is due. That is timed by the processor's clock,
since a hundredth of a step is less than what the neighbours on any machine do to it.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.rpc.client import channel
from lab.rpc.health import is_ready
from lab.text.from_tokens import write_tokens
from lab.v1 import inference_service_pb2_grpc, trainer_service_pb2_grpc
from lab.v1.inference_service_pb2 import GenerateRequest, LoadModelRequest
from lab.v1.run_spec_pb2 import RunSpec
from lab.v1.trainer_service_pb2 import PeekRunRequest
from services.trainer.worker.hooks import Step
from services.trainer.worker.hooks.probes import ProbeLooks
from services.trainer.worker.memory import keep_memory
from services.trainer.worker.step import training_step
from tests.benchmarks.test_recording_cost import drained, made, spec_of
from tests.support.checkpoint_service import checkpoint_process, service_process
from tests.support.trainer_service import NO_NATS, create, get, passes_step, trainer_process
from tests.support.waiting import until

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

TEXTS, STEPS, ASKED = 25, 12, 2_000
MOST_SHARE = 0.01


async def _first_tokens(
    stub: Any, model: str, enough: Callable[[], Awaitable[bool]] | None = None
) -> list[float]:
    """Milliseconds from asking to the first token's arrival, of texts one after the other, until
    there are enough."""
    found: list[float] = []
    while len(found) < TEXTS or (enough and not await enough()):
        seed = len(found)
        request = GenerateRequest(
            model=model, prompt="To be, or not to be", max_tokens=4, seed=seed
        )
        began = time.perf_counter()
        answers = aiter(stub.Generate(request))
        await anext(answers)
        found.append(1e3 * (time.perf_counter() - began))
        async for _ in answers:
            pass
    return found


def _told(name: str, times: list[float]) -> None:
    rest = sorted(times[1:])
    print(
        f"first token {name}: {times[0]:.0f} ms for the first text with the model, then "
        f"p50 {statistics.median(rest):.0f} ms, p95 {rest[round(0.95 * (len(rest) - 1))]:.0f} ms, "
        f"at most {rest[-1]:.0f} ms; load {os.getloadavg()[0]:.1f}"
    )


async def test_first_token_while_a_run_trains(tmp_path: Path) -> None:
    with (
        checkpoint_process(tmp_path) as (_, store),
        trainer_process(tmp_path, nats_url=NO_NATS, checkpoint_address=store) as trainer,
        service_process("inference", tmp_path, "--checkpoint-address", store) as (_, address),
    ):
        await until(lambda: is_ready(address), secs=120)
        async with (
            channel(trainer.address, peer="trainer", caller="client") as to_trainer,
            channel(address, peer="inference", caller="client") as to_inference,
        ):
            runs = trainer_service_pb2_grpc.TrainerServiceStub(to_trainer)
            stub = inference_service_pb2_grpc.InferenceServiceStub(to_inference)
            await create(runs, "bench", RunSpec())  # the preset as it is
            await passes_step(runs, "bench", 3, secs=300)
            peek = (await runs.PeekRun(PeekRunRequest(name="runs/bench"), timeout=120)).peek
            loading = LoadModelRequest(source=peek.name)
            model = (await stub.LoadModel(loading, timeout=120)).model.name
            before, began = (await get(runs, "bench")).stats.step, time.perf_counter()

            async def ten_steps_were_made() -> bool:
                return (await get(runs, "bench")).stats.step >= before + 10

            times = await _first_tokens(stub, model, ten_steps_were_made)
            secs = (time.perf_counter() - began) / 10
            print(f"\n{len(times)} texts while the run made 10 steps, one in {1e3 * secs:.0f} ms")
            _told("while nano trains", times)
            trainer.end()
            _told("with nothing beside it", await _first_tokens(stub, model))


def test_between_looks_a_step_costs_the_same(tmp_path: Path) -> None:
    keep_memory()
    spec = spec_of("nano")
    noise = np.random.default_rng(1).integers(0, spec.model.vocab_size, 60_000)
    write_tokens(tmp_path / "noise", [noise])
    training, steps = made(spec, tmp_path), []
    with drained() as link:
        looks = ProbeLooks(link.send)
        began = time.process_time()
        looks.on_start(training)
        look = time.process_time() - began
        for _ in range(STEPS):
            began = time.process_time()
            result = training_step(training)
            steps.append(time.process_time() - began)
        step = Step(result, secs=steps[-1])
        training.step = spec.hooks.probe_every + 1  # between two looks
        began = time.process_time()
        for _ in range(ASKED):
            looks.after_step(training, step)
        asking = (time.process_time() - began) / ASKED
    one = statistics.median(steps)
    share = asking / one
    print(
        f"\na step of nano {1e3 * one:.0f} ms of processor; asking whether a look is due "
        f"{1e6 * asking:.1f} us, {share:.4%} of it; a look {1e3 * look:.0f} ms, every "
        f"{spec.hooks.probe_every} steps {look / (spec.hooks.probe_every * one):.2%}; "
        f"load {os.getloadavg()[0]:.1f}"
    )
    assert share < MOST_SHARE
