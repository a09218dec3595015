"""What is in the folder of a worker that is gone: saves that it finished and could not tell of any
more, because it was killed or the trainer was, and what it only began.

Each save lies in a folder of its own and ends with a sealed file that says what it is.
"""

import shutil
from collections.abc import Container
from pathlib import Path

from lab import manifest
from lab.errors import LabError
from lab.v1.worker_pb2 import CheckpointStaged


def whole_saves(attempt: Path, *, but: Container[Path]) -> list[CheckpointStaged]:
    """Those in an attempt's staging folder that nobody has heard of, the oldest first. Nobody
    waits for them in person any more. The hashes are checked where they are sent to."""
    found: list[CheckpointStaged] = []
    for folder in attempt.iterdir() if attempt.is_dir() else ():
        if folder in but or not folder.is_dir():
            continue
        try:
            staged = manifest.read_staged(folder)
        except (LabError, OSError):
            continue  # half written
        staged.request_id, staged.beside_training = "", False
        found.append(staged)
    return sorted(found, key=order)


def remove_but(attempt: Path, kept: Container[Path]) -> None:
    """What was half written, or was not put away."""
    for path in attempt.iterdir() if attempt.is_dir() else ():
        if path not in kept:
            shutil.rmtree(path, ignore_errors=True)
            if path.is_file():
                path.unlink()


def order(staged: CheckpointStaged) -> tuple[int, int]:
    """In which saves of a run were made, and have to be sent: an older claim after a newer one is
    refused."""
    return staged.fencing_token, staged.step
