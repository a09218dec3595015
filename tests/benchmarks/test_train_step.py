"""Our training step against others', made in turns so that a busy machine is busy for all.

`make bench t=tests/benchmarks/test_train_step.py`. In each round every contender makes one step;
the median over the rounds of the ratio of two is what counts. Every contender is a process of its
own, as its authors would run it; only ours settles how it gets its memory.

Two of the contenders are ceilings: they make the matrix products of a step and nothing else, with
torch's own routines (see products.py). The share of a step is their time divided by the step's.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch

from lab import kernels
from services.trainer.worker.precision import multiplies_bf16
from tests.benchmarks.train_steps import CONTENDERS, spec_of

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1_800)]

THREADS = min(2, os.cpu_count() or 1)
PLAIN = "plain-fp32"
BF16 = multiplies_bf16(torch.device("cpu"))
OURS = "ours-bf16" if BF16 else "ours-fp32"
CEILINGS = ("products-bf16", "products-fp32")
FEW = ("ours-bf16", "ours-fp32", PLAIN, "plain-autocast", *CEILINGS)  # what fits side by side
# Products by torch, of our whole step in bf16; tests/benchmarks/README.md says where the rest goes.
LEAST_SHARES = {"nano": 0.70, "small": 0.65, "medium": 0.60}
if kernels.tiled_operations() is None:
    LEAST_SHARES = {"nano": 0.45}


@dataclass(frozen=True)
class Made:
    """A step as its process saw it; the processor's time stands more noise from neighbours."""

    wall: float
    processor: float
    loss: float
    peak: int


class Contender:
    """Makes a step when told to."""

    def __init__(self, name: str, preset: str, batch: int) -> None:
        module = "tests.benchmarks.train_steps"
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, name, preset, str(batch), str(THREADS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.made: list[Made] = []

    def step(self) -> Made:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        made = Made(**json.loads(self._process.stdout.readline()))
        self.made.append(made)
        return made

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()  # closes its pipes


@contextlib.contextmanager
def contenders(names: tuple[str, ...], preset: str, batch: int) -> Iterator[dict[str, Contender]]:
    able = [name for name in names if BF16 or not name.endswith(("bf16", "autocast"))]
    them = {name: Contender(name, preset, batch) for name in able}
    try:
        for name, one in them.items():
            assert 10.6 < one.step().loss < 11.3, name  # ln 50,257, or it is not the same model
            one.step()
            one.made.clear()
        yield them
    finally:
        for one in them.values():
            one.end()


# The ratios that the project promises: to the plain fp32 loop, and to the best peer in bf16.
@pytest.mark.parametrize(
    ("preset", "batch", "rounds", "names", "wanted", "wanted_bf16"),
    [
        ("nano", 8, 10, tuple(CONTENDERS), 2.0, 1.5),
        ("small", 4, 6, FEW, 1.8, 1.0),
        ("medium", 1, 5, FEW, 1.7, 1.0),
    ],
    ids=["nano", "small", "medium"],
)
def test_steps_per_second(
    preset: str,
    batch: int,
    rounds: int,
    names: tuple[str, ...],
    wanted: float,
    wanted_bf16: float,
) -> None:
    spec = spec_of(preset, batch=batch, threads=THREADS)
    tokens = batch * spec.model.context
    with contenders(names, preset, batch) as them:
        order = list(them)
        for turn in range(rounds):
            for name in order[turn % len(order) :] + order[: turn % len(order)]:
                them[name].step()
        made = {name: one.made for name, one in them.items()}
    print(f"\n{preset}: {batch} x {spec.model.context} tokens, {THREADS} threads, {rounds} rounds")
    for name, steps in made.items():
        secs = statistics.median(step.wall for step in steps)
        print(
            f"  {name:22} {secs * 1e3:7,.0f} ms {tokens / secs:7,.0f} tokens/s, "
            f"{statistics.median(step.processor for step in steps) * 1e3:7,.0f} ms of processor, "
            f"peak {steps[-1].peak / 1e6:6,.0f} MB, {ratio(made[PLAIN], steps):5.2f}x {PLAIN}"
        )
    shares = {
        precision: ratio(made[f"products-{precision}"], made[f"ours-{precision}"], processor=True)
        for precision in ("bf16", "fp32")
        if f"ours-{precision}" in made
    }
    for precision, share in shares.items():
        print(f"  products alone take {share:.0%} of the processor's time of ours-{precision}")
    by_peer = {name: ratio(made[name], made[OURS]) for name in made if name.endswith("autocast")}
    for name, times in by_peer.items():
        print(f"  {OURS} is {times:.2f}x {name}")
    assert ratio(made[PLAIN], made["ours-fp32"]) > 1.1
    if BF16:
        assert ratio(made[PLAIN], made[OURS]) >= wanted
        assert min(by_peer.values()) >= wanted_bf16
        assert shares["bf16"] >= LEAST_SHARES.get(preset, 0.0)
    if preset == "nano":
        assert made[OURS][-1].peak <= 0.5 * made[PLAIN][-1].peak


def ratio(other: list[Made], one: list[Made], *, processor: bool = False) -> float:
    """How many steps of one fit into one of the other, by the clock or by the processor's time."""
    return statistics.median(
        a.processor / b.processor if processor else a.wall / b.wall
        for a, b in zip(other, one, strict=True)
    )
