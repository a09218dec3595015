"""Saved states of runs from a program."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lab.errors import InvalidArgument
from lab.names import checkpoint_ids, checkpoint_name, run_name
from lab.v1 import checkpoint_service_pb2 as messages
from lab.v1.checkpoint_pb2 import Checkpoint

if TYPE_CHECKING:  # grpc generates these for type checkers only
    from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceAsyncStub

VERIFY_DEADLINE_SECS = 120.0  # every byte is read and hashed

_SHORT = re.compile(r"(?P<run>[^/@]+)@(?P<step>\d{1,8})")


def full_name(checkpoint: str) -> str:
    """`runs/{run}/checkpoints/{checkpoint}` from a name or from `run@step`.

    Raises InvalidArgument for anything else.
    """
    if short := _SHORT.fullmatch(checkpoint):
        return checkpoint_name(short["run"], int(short["step"]))
    if not checkpoint.startswith("runs/"):
        raise InvalidArgument.field(
            "checkpoint", 'must look like "RUN@STEP" or "runs/{run}/checkpoints/{checkpoint}"'
        )
    checkpoint_ids(checkpoint)
    return checkpoint


class Checkpoints:
    """What the checkpoint service holds. Names may be written `run@step`."""

    def __init__(self, service: CheckpointServiceAsyncStub) -> None:
        self._service = service

    async def list(self, run: str = "") -> Sequence[Checkpoint]:
        """The checkpoints of one run, or of all, newest first."""
        found: list[Checkpoint] = []
        parent = run_name(run.removeprefix("runs/")) if run else ""
        request = messages.ListCheckpointsRequest(run=parent)
        while True:
            page = await self._service.ListCheckpoints(request)
            found += page.checkpoints
            if not page.next_page_token:
                return found
            request = messages.ListCheckpointsRequest(run=parent, page_token=page.next_page_token)

    async def get(self, checkpoint: str) -> Checkpoint:
        request = messages.GetCheckpointRequest(name=full_name(checkpoint))
        return (await self._service.GetCheckpoint(request)).checkpoint

    async def verify(self, checkpoint: str) -> Sequence[str]:
        """What is damaged, in sentences; empty when every byte is as it was saved."""
        request = messages.VerifyCheckpointRequest(name=full_name(checkpoint))
        answer = await self._service.VerifyCheckpoint(request, timeout=VERIFY_DEADLINE_SECS)
        return list(answer.damage) or ([] if answer.whole else ["it is damaged"])

    async def delete(self, checkpoint: str) -> None:
        request = messages.DeleteCheckpointRequest(name=full_name(checkpoint))
        await self._service.DeleteCheckpoint(request)
