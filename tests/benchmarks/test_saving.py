"""What a save costs the training: how long it halts, and how much slower steps are while the rest
is written.

`make bench t=tests/benchmarks/test_saving.py`. Steps beside a save and quiet ones come in turns, so
that a busy machine is busy for both.
"""

import json
import os
import statistics
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1_800)]

THREADS = min(2, os.cpu_count() or 1)
SLOWER = 1.10


@pytest.mark.parametrize(
    ("preset", "batch", "saves", "stall_ms"),
    [("nano", 8, 12, 30), ("small", 4, 6, 120), ("medium", 1, 4, 300)],
    ids=["nano", "small", "medium"],
)
def test_a_save_beside_training(preset: str, batch: int, saves: int, stall_ms: int) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.save_steps", preset]
        + [str(number) for number in (batch, THREADS, saves + 1)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    first, *rest = [json.loads(line) for line in made.stdout.splitlines()]
    stall = statistics.median(one["stall_secs"] for one in rest)
    beside = sum(sum(one["beside"]) for one in rest)
    quiet = sum(sum(one["quiet"]) for one in rest)
    steps = sum(len(one["quiet"]) for one in rest)
    print(
        f"\n{preset}: {first['size'] / 1e6:,.0f} MB, {first['threads']} threads, {saves} saves\n"
        f"  training halts {stall * 1e3:,.0f} ms "
        f"(first time {first['stall_secs'] * 1e3:,.0f} ms); limit {stall_ms} ms\n"
        f"  on disk after {statistics.median(one['write_secs'] for one in rest):.2f} s\n"
        f"  a step takes {beside / steps * 1e3:,.0f} ms beside a save, {quiet / steps * 1e3:,.0f} "
        f"ms otherwise: {beside / quiet - 1:+.1%}; peak {first['peak'] / 1e6:,.0f} MB"
    )
    assert stall * 1e3 <= stall_ms
    assert beside / quiet <= SLOWER
