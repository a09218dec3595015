"""The `lab` command as a real process, with a data folder and ports of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import folders
from tests.support.nats import free_port

Lab = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "a home"  # with a space


@pytest.fixture
def lab(home: Path) -> Lab:
    """`lab("runs", "list", LAB_X="y")`; nothing answers at the addresses it knows."""
    nothing = {
        "LAB_HOME": str(home),
        "LAB_ALL__NATS_URL": f"nats://127.0.0.1:{free_port()}",
        "LAB_TRAINER__PORT": str(free_port()),
        "LAB_INFERENCE__PORT": str(free_port()),
        "LAB_CHECKPOINT__PORT": str(free_port()),
        "LAB_GATEWAY__PORTS": f"{free_port()},{free_port()}",
    }

    def run(
        *arguments: str, answer: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "lab", *arguments],
            env={**os.environ, **nothing, **environment},  # noqa: TID251 (the child needs PATH)
            cwd=folders.checkout(),
            input=answer,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        return done

    return run
