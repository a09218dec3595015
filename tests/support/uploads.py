"""What the trainer's uploads need around them: a store that forgets, and folders to send."""

from __future__ import annotations

from pathlib import Path

from lab import manifest
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.worker_pb2 import STAGING_KIND_CHECKPOINT, CheckpointStaged
from tests.support.checkpoint_service import safetensors


class Uploaded:
    """What Uploads needs of the store, and what it tells."""

    def __init__(self) -> None:
        self.kept: list[int] = []

    def save_upload(self, run_id: str, staged: CheckpointStaged) -> None: ...

    def remove_upload(self, staged: CheckpointStaged) -> None: ...

    def keep(self, run_id: str, checkpoint: Checkpoint, staged: CheckpointStaged) -> None:
        self.kept.append(checkpoint.step)

    def lose(self, run_id: str, staged: CheckpointStaged, reason: str) -> None:
        raise AssertionError(reason)


def staged_in(folder: Path, step: int, *, beside_training: bool = False) -> CheckpointStaged:
    """A folder as a worker leaves it."""
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(safetensors(bytes(3 << 20)))
    (folder / "config.json").write_bytes(b"{}")
    return CheckpointStaged(
        kind=STAGING_KIND_CHECKPOINT,
        folder=str(folder),
        step=step,
        files=manifest.describe(folder),
        beside_training=beside_training,
    )
