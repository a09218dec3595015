"""Memory that was used once is not fetched from the system again, page by page."""

import subprocess
import sys
from pathlib import Path

import pytest

# 64 MB, which the C library by default takes from the system and gives back each time.
PROGRAM = """
import resource, sys
from services.trainer.worker.memory import keep_memory
if sys.argv[1] == "kept":
    keep_memory()
import torch
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones(16 << 20)
before = faults()
for _ in range(4):
    torch.ones(16 << 20)
print(faults() - before)
"""


def faults(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def large_pages_on_request() -> bool:
    """Where the system gives them always or never, asking makes no difference."""
    setting = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return setting.exists() and "[madvise]" in setting.read_text()


@pytest.mark.skipif(not large_pages_on_request(), reason="no large pages on request")
def test_memory_comes_in_large_pages_and_stays() -> None:
    pages = 4 * (64 << 20) // 4096
    assert faults("as it comes") > pages / 2
    assert faults("kept") < pages / 20
