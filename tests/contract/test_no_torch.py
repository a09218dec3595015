"""Torch takes seconds and hundreds of megabytes: processes that need none never load it."""

import json
import subprocess
import sys

import pytest

from lab import folders

HEAVY = ("torch", "numpy", "tiktoken", "transformers")


def loaded(module: str) -> list[str]:
    """What of HEAVY a fresh interpreter has after importing the module."""
    program = (
        f"import sys, json, {module}; "
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folders.checkout(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answer: list[str] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize(
    "module", ["services.gateway.service", "services.checkpoint.service", "lab.client"]
)
def test_nothing_heavy_is_loaded(module: str) -> None:
    assert loaded(module) == []


@pytest.mark.parametrize("module", ["services.trainer.service", "lab.cli.app"])
def test_torch_is_not_loaded(module: str) -> None:
    assert "torch" not in loaded(module)


def test_the_probe_would_see_it() -> None:
    assert "numpy" in loaded("lab.text")
