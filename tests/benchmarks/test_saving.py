"""What a save costs the training: how long it halts, and how much slower steps are while the rest
is written, and while it is sent to the checkpoint service.

`make bench t="tests/benchmarks/test_saving.py -k nano"` takes three minutes, small about seven,
medium about twelve: most of it is sending, which takes its time. Steps beside a save and quiet ones
come in turns, so that a busy machine is busy for both.
"""

import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass

import pytest

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1_800)]

THREADS = min(2, os.cpu_count() or 1)
SLOWER = 0.10


@pytest.mark.parametrize(
    ("preset", "batch", "saves", "most_stall_ms"),
    [("nano", 8, 6, 30), ("small", 4, 3, 120), ("medium", 1, 2, 300)],
    ids=["nano", "small", "medium"],
)
def test_a_save_beside_training(preset: str, batch: int, saves: int, most_stall_ms: int) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.save_steps", preset]
        + [str(number) for number in (batch, THREADS, saves + 1)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    first, *rest = [json.loads(line) for line in made.stdout.splitlines()]
    stall_ms = statistics.median(one["stall_secs"] for one in rest) * 1e3
    writing = Windows.of(rest, "beside", "quiet")
    sending = Windows.of(rest, "sending", "quiet_again")
    write_share = _share(rest, "write")
    send_share = _share(rest, "send")
    print(
        f"\n{preset}: {first['size'] / 1e6:,.0f} MB, {first['threads']} threads, {saves} saves\n"
        f"  training halts {stall_ms:,.0f} ms "
        f"(first time {first['stall_secs'] * 1e3:,.0f} ms); limit {most_stall_ms} ms\n"
        f"  on disk after {statistics.median(one['write_secs'] for one in rest):.1f} s, "
        f"sent in {statistics.median(one['send_secs'] for one in rest):.1f} s more; "
        f"peak {first['peak'] / 1e6:,.0f} MB\n"
        f"  the writing takes {write_share:.1%} of a core, a step beside it {writing}\n"
        f"  the sending takes {send_share:.1%} of a core, a step beside it {sending}"
    )
    assert stall_ms <= most_stall_ms
    assert write_share <= SLOWER
    assert send_share <= SLOWER
    assert writing.slower <= SLOWER
    assert sending.slower <= SLOWER


def _share(said: list[dict[str, float]], what: str) -> float:
    """Of one core, in the median save. A busy machine changes it little."""
    return statistics.median(one[f"{what}_worked_secs"] / one[f"{what}_secs"] for one in said)


@dataclass(frozen=True)
class Windows:
    """Steps beside something, and as many that were not."""

    beside_secs: float
    quiet_secs: float
    steps: int

    @classmethod
    def of(cls, said: list[dict[str, list[float]]], beside: str, quiet: str) -> "Windows":
        return cls(
            beside_secs=sum(sum(one[beside]) for one in said),
            quiet_secs=sum(sum(one[quiet]) for one in said),
            steps=sum(len(one[quiet]) for one in said),
        )

    @property
    def slower(self) -> float:
        return self.beside_secs / self.quiet_secs - 1

    def __str__(self) -> str:
        beside, quiet = self.beside_secs / self.steps * 1e3, self.quiet_secs / self.steps * 1e3
        return f"takes {beside:,.0f} ms, {quiet:,.0f} ms otherwise: {self.slower:+.1%}"
