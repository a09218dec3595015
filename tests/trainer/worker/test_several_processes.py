"""Several processes make the steps that one would make. Real torchrun, real gloo."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from lab import folders
from lab.v1 import run_spec_pb2
from lab.v1.run_pb2 import LiveSettings
from lab.v1.worker_pb2 import (
    STAGING_KIND_CHECKPOINT,
    AdvanceTraining,
    PauseTraining,
    ResumeTraining,
    StageCheckpoint,
    StartTraining,
    StopTraining,
    WorkerCommand,
)
from services.trainer.runs.worker_process import start_worker
from services.trainer.worker.distributed import Ranks
from services.trainer.worker.precision import multiplies_bf16
from tests.support.processes import all_end, ended
from tests.trainer.worker import steps_together
from tests.trainer.worker.steps_together import STEPS_FILE, make
from tests.trainer.worker.tiny import tiny_spec, write_tiny_corpus
from tests.trainer.worker.worker_process import Worker

pytestmark = pytest.mark.integration

StartWorker = Callable[[StartTraining | None], Worker]
PRECISIONS = {"fp32": run_spec_pb2.PRECISION_FP32}
if multiplies_bf16(torch.device("cpu")):
    PRECISIONS["bf16"] = run_spec_pb2.PRECISION_BF16
BATCH = 7  # three sequences for one process, four for the other, in micro-batches of two
KILLED_STEPS = 24  # of the run that loses a process
ENDLESS = 1_000_000


def start_of(corpora: Path, **budget: Any) -> StartTraining:
    start = StartTraining(run="runs/test", spec=tiny_spec(), corpora_folder=str(corpora))
    start.spec.budget.batch, start.spec.budget.steps = BATCH, 40
    for name, value in budget.items():
        setattr(start.spec.budget, name, value)
    return start


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each case as one process makes it, in alone/, and as two make it, in together/."""
    folder = tmp_path_factory.mktemp("made")
    alone, together = folder / "alone", folder / "together"
    alone.mkdir()
    together.mkdir()
    corpora = write_tiny_corpus(folder / "corpora")

    def case(name: str, start: StartTraining, *, until: int) -> None:
        (together / f"{name}.{until}.start").write_bytes(start.SerializeToString())

    plain = start_of(corpora)
    make(plain, Ranks(), until=20, folder=alone / "plain")
    case("a-plain", plain, until=20)
    dropping = start_of(corpora, batch=4)
    dropping.spec.model.dropout = 0.2
    make(dropping, Ranks(), until=5, folder=alone / "dropping")
    case("a-dropping", dropping, until=5)
    make(plain, Ranks(), until=3, folder=alone / "third")
    resumed = start_of(corpora)
    resumed.resume_folder = str(alone / "third")
    case("a-resumed", resumed, until=20)
    for word, precision in PRECISIONS.items():
        whole = start_of(corpora, precision=precision)
        case(f"a-whole-{word}", whole, until=6)
        case(f"a-half-{word}", whole, until=3)
        whole.resume_folder = str(together / f"a-half-{word}")
        case(f"b-half-{word}", whole, until=6)
    undisturbed = start_of(corpora, steps=KILLED_STEPS)
    case("a-undisturbed", undisturbed, until=KILLED_STEPS)
    program = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    subprocess.run(
        [*program, "--nproc-per-node", "2", "-m", steps_together.__name__, str(together)],
        cwd=folders.checkout(),
        check=True,
        timeout=100,
    )
    return folder


def steps_of(folder: Path) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = json.loads((folder / STEPS_FILE).read_text())
    return steps


def same_steps(one: list[dict[str, Any]], other: list[dict[str, Any]], *, rel: float) -> None:
    assert len(one) == len(other) > 0
    for mine, theirs in zip(one, other, strict=True):
        assert theirs["loss"] == pytest.approx(mine["loss"], rel=rel)
        assert theirs["grad_norm"] == pytest.approx(mine["grad_norm"], rel=rel)
        assert theirs["sequence_losses"] == pytest.approx(mine["sequence_losses"], rel=rel)


def weights_of(folder: Path) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = load_file(folder / "model.safetensors")
    return weights


def test_two_processes_make_the_steps_of_one(made: Path) -> None:
    one, two = made / "alone" / "plain", made / "together" / "a-plain"
    assert len(steps_of(two)[0]["sequence_losses"]) == BATCH
    same_steps(steps_of(one), steps_of(two), rel=1e-6)
    theirs = weights_of(two)
    for name, mine in weights_of(one).items():
        if name.endswith("c_attn.bias"):
            # A bias of the keys adds the same to all scores of a query, which softmax ignores: its
            # gradient is 0 but for rounding, and AdamW makes steps of that.
            width = len(mine) // 3
            mine[width : 2 * width] = theirs[name][width : 2 * width]
        apart = (theirs[name] - mine).norm() / mine.norm()
        assert apart < 1e-6, name


def test_all_processes_hold_the_same_bits(made: Path) -> None:
    for case in (made / "together").glob("a-whole-*-1"):
        first = case.with_name(case.name.removesuffix("-1"))
        assert steps_of(case) == steps_of(first)
        for file in ("model.safetensors", "optim.safetensors"):
            assert (case / file).read_bytes() == (first / file).read_bytes()


def test_what_is_dropped_does_not_depend_on_who_reads_it(made: Path) -> None:
    one, two = made / "alone" / "dropping", made / "together" / "a-dropping"
    same_steps(steps_of(one), steps_of(two), rel=1e-6)


@pytest.mark.parametrize("word", PRECISIONS)
def test_two_processes_go_on_where_they_were_bit_for_bit(made: Path, word: str) -> None:
    together = made / "together"
    whole, first, second = (together / f"{name}-{word}" for name in ("a-whole", "a-half", "b-half"))
    assert steps_of(first) + steps_of(second) == steps_of(whole)
    for file in ("model.safetensors", "optim.safetensors"):
        assert (second / file).read_bytes() == (whole / file).read_bytes()
    environment = json.loads((whole / "environment.json").read_text())
    assert environment["processes"] == 2


def test_two_processes_go_on_where_one_was(made: Path) -> None:
    whole, resumed = steps_of(made / "alone" / "plain"), steps_of(made / "together" / "a-resumed")
    same_steps(whole[3:], resumed, rel=1e-5)


def test_commands_reach_all(worker: StartWorker, start: StartTraining) -> None:
    start.spec.budget.processes, start.spec.budget.steps = 2, ENDLESS
    start.spec.schedule.warmup_steps = 0
    one = worker(start)
    one.until("step_measured")
    members = family(one)
    one.send(pause=PauseTraining())
    paused = one.until("paused").paused.step
    one.send(adjust=LiveSettings(learning_rate_scale=0.5))
    one.send(advance=AdvanceTraining(steps=3))
    assert one.until("paused").paused.step == paused + 3
    measured = [e.step_measured for e in one.seen if e.HasField("step_measured")]
    assert measured[-1].learning_rate == pytest.approx(measured[0].learning_rate / 2, rel=1e-2)
    one.send(stage=StageCheckpoint(kind=STAGING_KIND_CHECKPOINT, request_id="x"))
    staged = one.until("staged").staged
    assert (staged.request_id, staged.step) == ("x", paused + 3)
    one.send(resume=ResumeTraining())
    one.until("resumed")
    one.until("step_measured")
    one.send(stop=StopTraining(save=False))
    last = one.until("finished").finished.step
    one.rest()
    assert one.steps() == list(range(1, last + 1))
    assert one.exit_code() == 0
    assert len(members) == 3
    assert all_end(members)


def test_a_killed_process_ends_all_and_the_run_goes_on_from_its_checkpoint(
    worker: StartWorker, made: Path, tmp_path: Path
) -> None:
    start = start_of(made / "corpora", steps=KILLED_STEPS, processes=2)
    start.staging_folder = str(tmp_path / "staging")
    start.spec.hooks.checkpoint_every, start.spec.hooks.checkpoint_on_stop = 5, True
    first = worker(start)
    first.send(pause=PauseTraining())
    first.send(advance=AdvanceTraining(steps=12))
    first.until("paused", lambda event: event.paused.step >= 12)
    members = family(first)
    second_rank = next(one for one in members if one.environ().get("RANK") == "1")
    second_rank.kill()  # while it waits for the first one's word
    first.send(resume=ResumeTraining())
    first.rest()
    assert first.exit_code() == 1
    assert all_end(members)
    assert ended(second_rank)
    kinds = {event.WhichOneof("event") for event in first.seen}
    assert not kinds & {"finished", "failed"}  # it just ends: nothing is wrong with the run
    assert first.steps()[-1] < KILLED_STEPS

    start.resume_folder = newest_staged(first)
    again = worker(start)
    begun = again.until("started").started.step
    assert 5 <= begun <= 12  # the newest that was written when the process died
    again.rest()
    assert again.exit_code() == 0
    assert again.steps() == list(range(begun + 1, KILLED_STEPS + 1))
    for file in ("model.safetensors", "optim.safetensors"):
        undisturbed = made / "together" / "a-undisturbed" / file
        assert (Path(newest_staged(again)) / file).read_bytes() == undisturbed.read_bytes()


def test_nobody_outlives_torchrun(worker: StartWorker, start: StartTraining) -> None:
    start.spec.budget.processes, start.spec.budget.steps = 2, ENDLESS
    one = worker(start)
    one.until("step_measured")
    members = family(one)
    os.kill(one.process.pid, signal.SIGKILL)
    assert one.exit_code() == -signal.SIGKILL
    assert len(members) == 3
    assert all_end(members)


async def test_the_trainer_ends_all_of_them(start: StartTraining) -> None:
    start.spec.budget.processes, start.spec.budget.steps = 2, ENDLESS
    one = await start_worker("a", processes=2, nice=0)
    await one.send(WorkerCommand(start=start))
    async for event in one.events():
        if event.HasField("step_measured"):
            break
    torchrun = psutil.Process(one.pid)
    members = [torchrun, *torchrun.children(recursive=True)]
    one.kill()
    ending = await one.ended()
    assert (ending.exit_code, ending.processes) == (-signal.SIGKILL, 2)
    assert len(members) == 3
    assert all_end(members)


def test_what_prevents_a_start_is_said(worker: StartWorker, start: StartTraining) -> None:
    start.spec.budget.processes, start.spec.data.corpus = 2, "missing"
    one = worker(start)
    assert "missing is not prepared" in one.until("failed").failed.reason
    one.rest()
    assert one.exit_code() == 1


def family(one: Worker) -> list[psutil.Process]:
    """torchrun and the processes it started."""
    torchrun = psutil.Process(one.process.pid)
    return [torchrun, *torchrun.children(recursive=True)]


def newest_staged(one: Worker) -> str:
    return [e.staged.folder for e in one.seen if e.HasField("staged")][-1]
