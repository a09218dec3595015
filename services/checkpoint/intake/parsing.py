"""Foreign files are parsed in a child process: little memory, little time, no file it may write.
Whatever a broken or hostile file does to the parser, the service goes on.

The child is this module, run as a program on the folder of an import.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Final

from lab.errors import InvalidArgument, Violation
from lab.manifest import WEIGHTS
from services.checkpoint import safetensors_header
from services.checkpoint.intake import gpt2_shape

MEMORY_BYTES: Final = 1 << 30
CPU_SECS: Final = 10
CPU_SECS_PER_GB: Final = 10  # the weights are looked through for NaN; measured: about 1 s per GB
FILES: Final = 64
WALL_SECS_PER_CPU_SEC: Final = 10  # a busy machine or a slow disk


def check_import(folder: Path) -> None:
    """Raises InvalidArgument when the weights in `folder` are not the GPT-2 of their config."""
    cpu_secs = CPU_SECS + CPU_SECS_PER_GB * (folder / WEIGHTS).stat().st_size // 10**9
    command = [
        sys.executable,
        "-m",
        "services.checkpoint.intake.parsing",
        str(folder),
        str(cpu_secs),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=cpu_secs * WALL_SECS_PER_CPU_SEC, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _gave_up() from error
    if done.returncode != 0:
        raise _gave_up()
    if faults := json.loads(done.stdout):
        raise InvalidArgument.of(*(Violation(*fault) for fault in faults))


def _gave_up() -> InvalidArgument:
    return InvalidArgument.field(
        "files",
        f"could not be read with {MEMORY_BYTES >> 20} MiB and the time that weights of this size "
        "need; save them again with the safetensors library",
    )


def main(folder: Path, cpu_secs: int) -> None:
    """Prints what is wrong, as a list of fields and descriptions."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, cpu_secs),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, FILES),
    ):
        resource.setrlimit(what, (most, most))
    faults: list[tuple[str, str]] = []
    try:
        header = safetensors_header.check(folder / WEIGHTS)
        gpt2_shape.check(folder, header)
    except InvalidArgument as error:
        faults = [(each.field, each.description) for each in error.violations]
    sys.stdout.write(json.dumps(faults))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
