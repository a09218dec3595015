"""Threads of torch do not spin for long, unless somebody wants them to."""

import subprocess
import sys

import pytest

from lab import folders

# libgomp says what it goes by when it is loaded.
PROGRAM = """
from services.trainer.worker.waiting import wait_briefly
wait_briefly()
import torch
"""


def spincount(**told: str) -> str:
    settings = folders.child_environment(OMP_DISPLAY_ENV="VERBOSE", **told)
    if not told:
        for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
            settings.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=settings, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "GOMP_SPINCOUNT" in line]
    if not lines:
        pytest.skip("torch's threads are not libgomp's here")
    return lines[0].split("'")[1]


def test_they_spin_briefly() -> None:
    assert spincount() == "10000"


def test_who_decides_it_for_the_machine_is_obeyed() -> None:
    assert spincount(GOMP_SPINCOUNT="77") == "77"
