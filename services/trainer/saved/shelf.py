"""What the checkpoint service keeps of a run."""

from __future__ import annotations

from dataclasses import dataclass

from lab.rpc.paging import pages
from lab.v1 import checkpoint_service_pb2_grpc as services
from lab.v1.checkpoint_pb2 import CHECKPOINT_KIND_WEIGHTS, Checkpoint
from lab.v1.checkpoint_service_pb2 import ListCheckpointsRequest, UnreadableCheckpoint


@dataclass(frozen=True)
class RunShelf:
    """The checkpoint with the most steps first."""

    checkpoints: list[Checkpoint]
    unreadable: list[UnreadableCheckpoint]

    @property
    def full(self) -> list[Checkpoint]:
        """Those from which the run can be resumed."""
        return [each for each in self.checkpoints if each.kind != CHECKPOINT_KIND_WEIGHTS]


async def shelf_of(
    stub: services.CheckpointServiceAsyncStub, run: str, *, trashed: bool = False
) -> RunShelf:
    """With `trashed`, what is in the trash instead."""
    found: list[Checkpoint] = []
    unreadable: list[UnreadableCheckpoint] = []
    async for page in pages(stub.ListCheckpoints, ListCheckpointsRequest(run=run, trashed=trashed)):
        found += page.checkpoints
        unreadable += page.unreadable
    found.sort(key=lambda checkpoint: checkpoint.step, reverse=True)
    return RunShelf(found, unreadable)
