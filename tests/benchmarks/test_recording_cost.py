"""What recording costs a run: `make bench t=tests/benchmarks/test_recording_cost.py`.

Two equal runs in one process make a step each in turns; one of them records, through the
hooks of a worker and a real link. Each hook is timed every time it does something. Its share is
what that takes, times how often the preset has it done, over what a step takes; processor time,
because neighbours on this machine lengthen the other kind. The ceiling is measured once a run, so a
run of the preset's own length is what all of it is counted for.
"""

import socket
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from lab.link import Link, LinkClosed
from lab.spec import load_presets
from lab.text.from_tokens import write_tokens
from lab.v1.run_spec_pb2 import RunSpec
from lab.v1.worker_pb2 import StartTraining, WorkerEvent
from services.trainer.worker.hooks import Hook, Step
from services.trainer.worker.hooks.health import Health
from services.trainer.worker.hooks.intervals import Intervals
from services.trainer.worker.hooks.metrics import Metrics
from services.trainer.worker.hooks.probes import ProbeLooks, is_due
from services.trainer.worker.hooks.spikes import Spikes
from services.trainer.worker.memory import keep_memory
from services.trainer.worker.step import training_step
from services.trainer.worker.training import Training, build

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1_200)]

ROUNDS = 40
LOOKS = 8  # of what is done seldom
MOST_SHARE = 0.02


def made(spec: RunSpec, folder: Path) -> Training:
    return build(StartTraining(run="runs/bench", spec=spec, corpora_folder=str(folder)))


def spec_of(preset: str) -> RunSpec:
    spec = load_presets()[preset].spec
    spec.data.corpus, spec.data.validation_fraction = "noise", 0.2
    spec.budget.threads = 1
    return spec


@contextmanager
def drained() -> Iterator[Link]:
    """A link whose other end is read, as a trainer does it."""
    ours, theirs = map(Link, socket.socketpair())

    def read() -> None:
        with suppress(LinkClosed):
            while True:
                theirs.receive(WorkerEvent)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield ours
    finally:
        ours.close()
        thread.join()
        theirs.close()


class Timed:
    """Processor seconds of each thing a hook did."""

    def __init__(self) -> None:
        self.secs: dict[str, list[float]] = defaultdict(list)

    def after_step(self, name: str, hook: Hook, training: Training, step: Step) -> None:
        began = time.process_time()
        hook.after_step(training, step)
        self.secs[name].append(time.process_time() - began)


def measured(recording: Training, quiet: Training, link: Link) -> tuple[Timed, list[float], float]:
    """What hooks took; what a step takes; how much longer it takes in the run that records."""
    timed, spec = Timed(), recording.spec
    secs: dict[str, list[float]] = {"quiet": [], "recording": []}
    often = {"metrics": Metrics(link.send), "spikes": Spikes(link.send)}
    interval = Intervals(link.send)
    interval.on_start(recording)
    for _ in range(ROUNDS):
        for training, times in ((quiet, secs["quiet"]), (recording, secs["recording"])):
            began = time.process_time()
            result = training_step(training)
            times.append(time.process_time() - began)
        step = Step(result, secs=times[-1])
        for name, hook in {**often, "intervals": interval}.items():
            timed.after_step(name, hook, recording, step)
    seldom = {"health": Health(link.send), "probes": ProbeLooks(link.send)}
    step = Step(training_step(recording), secs=0.1)
    recording.step = spec.hooks.health_every * spec.hooks.probe_every  # all is due
    for _ in range(LOOKS):
        for name, hook in seldom.items():
            timed.after_step(name, hook, recording, step)
    ratios = [a / b for a, b in zip(secs["recording"], secs["quiet"], strict=True)]
    return timed, secs["quiet"], statistics.median(ratios)


@pytest.mark.parametrize("preset", ["nano"])
def test_recording_costs_less_than_two_percent(preset: str, tmp_path: Path) -> None:
    keep_memory()
    spec = spec_of(preset)
    noise = np.random.default_rng(1).integers(0, spec.model.vocab_size, 60_000)
    write_tokens(tmp_path / "noise", [noise])
    quiet, recording = made(spec_of(preset), tmp_path), made(spec, tmp_path)
    with drained() as link:
        timed, quiet_secs, ratio = measured(recording, quiet, link)
    total = spec.budget.steps
    times = {  # in a run of the preset's length
        "metrics": total,
        "spikes": total,
        "health": 1 + total // spec.hooks.health_every,
        "probes": 1 + sum(is_due(step, spec.hooks.probe_every) for step in range(1, total + 1)),
    }
    one_step = statistics.median(quiet_secs)
    costs = {name: statistics.median(timed.secs[name]) * n for name, n in times.items()}
    ceiling = max(timed.secs["intervals"])
    costs["intervals"] = ceiling + total * statistics.median(timed.secs["intervals"])
    times["intervals"] = total
    share = sum(costs.values()) / (total * one_step)
    print(
        f"\n{preset}: a step takes {one_step * 1e3:.1f} ms of processor time on 1 thread, "
        f"beside the recording run {ratio:.3f}x"
    )
    for name, cost in costs.items():
        each = cost / times[name] * 1e3
        print(
            f"  {name:10} {each:7.2f} ms, {times[name]:4} times in {total} steps: "
            f"{cost / (total * one_step):.2%}"
        )
    print(f"  {'all':10} {share:.2%} of the time of {total} steps")
    assert share < MOST_SHARE
