"""Saves that a worker finished and could not tell of any more: it was killed, or the trainer was.

Each lies in a folder of its own and ends with a sealed file that says what it is.
"""

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


def order(staged: CheckpointStaged) -> tuple[int, int]:
    """In which saves of a run were made, and have to be sent: an older claim after a newer one is
    refused."""
    return staged.fencing_token, staged.step
