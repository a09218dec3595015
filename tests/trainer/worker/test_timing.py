"""The times of a preflight are those of real steps; its sizes are those of real files."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from lab.spec import Machine, Times, preflight
from lab.v1 import preflight_pb2
from lab.v1.run_spec_pb2 import RunSpec
from lab.v1.worker_pb2 import StepTiming
from services.trainer.worker.recording.usage import Others
from services.trainer.worker.saving.state import content, write
from services.trainer.worker.training import Training, short_of_cores
from tests.support.waiting import until

COMMAND = [sys.executable, "-m", "services.trainer.worker.timing"]


def test_real_steps_are_timed_without_any_corpus(spec: RunSpec) -> None:
    spec.hooks.evaluate_every, spec.hooks.sample_every = 1, 1
    done = subprocess.run(COMMAND, input=spec.SerializeToString(), capture_output=True, timeout=100)
    assert done.returncode == 0, done.stderr
    timing = StepTiming.FromString(done.stdout)
    assert timing.steps == 8
    assert 0 < timing.step_secs < 5
    assert 0 < timing.evaluation_batch_secs < 5
    assert 0 < timing.sample_secs < 5
    assert timing.start_secs > timing.step_secs
    assert 100 << 20 < timing.peak_memory_bytes < 2 << 30


async def test_what_other_programs_do_is_seen() -> None:
    others = Others()
    began = time.monotonic()
    busy = await asyncio.create_subprocess_exec(sys.executable, "-c", "while True: pass")
    try:
        used = psutil.Process(busy.pid)
        await until(lambda: used.cpu_times().user >= 0.3, secs=60, what="the program is busy")
        seen_secs = others.cores() * (time.monotonic() - began)
    finally:
        busy.kill()
        await busy.wait()
    assert seen_secs >= 0.25  # the kernel counts in hundredths


def test_what_this_process_does_is_not_counted_as_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def alone(*, percpu: bool) -> list[Any]:
        return [psutil.Process().cpu_times()]

    monkeypatch.setattr(psutil, "cpu_times", alone)
    monkeypatch.setattr(psutil.Process, "cpu_affinity", lambda _: [0])
    others = Others()
    enough_secs = time.process_time() + 0.3
    while time.process_time() < enough_secs:
        pass
    assert others.cores() < 0.1


def test_a_machine_is_short_of_cores_when_more_are_wanted_than_there_are(
    training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = torch.get_num_threads()
    monkeypatch.setattr("services.trainer.worker.training.physical_cores", lambda: wanted + 1)
    assert [short_of_cores(training, others) for others in (0.0, 1.1, 1.5)] == [False, False, True]


def test_what_cannot_be_trained_here_is_told_in_a_sentence(spec: RunSpec) -> None:
    spec.budget.device = "cuda"
    environment = {"CUDA_VISIBLE_DEVICES": "", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        COMMAND, input=spec.SerializeToString(), capture_output=True, timeout=100, env=environment
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"this machine has no CUDA device" in done.stderr
    assert b"Traceback" not in done.stderr


def test_one_process_says_nothing_of_the_time_of_several(spec: RunSpec) -> None:
    spec.budget.processes = 2
    done = subprocess.run(COMMAND, input=spec.SerializeToString(), capture_output=True, timeout=100)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"times are measured of runs in one process only"


def test_a_checkpoint_has_the_size_that_was_foretold(training: Training, tmp_path: Path) -> None:
    (tmp_path / "it").mkdir()
    write(content(training, full=True), tmp_path / "it")
    written = sum(path.stat().st_size for path in (tmp_path / "it").iterdir())
    machine = Machine(0, 0, disk_free_bytes=0, cores=1)
    foretold = preflight(
        training.spec,
        train_tokens=500,
        validation_tokens=100,
        machine=machine,
        times=Times(preflight_pb2.TIMING_SOURCE_NONE),
    )
    assert foretold.parameters == training.model.parameter_count()
    assert abs(foretold.checkpoint_bytes - written) < 64 << 10
