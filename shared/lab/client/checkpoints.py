"""Saved states of runs from a program."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lab.client import transfer
from lab.errors import InvalidArgument
from lab.names import (
    IMPORTS,
    check_id,
    checkpoint_ids,
    checkpoint_name,
    run_name,
    weights_name,
)
from lab.rpc.paging import pages
from lab.v1 import checkpoint_service_pb2 as messages
from lab.v1.checkpoint_pb2 import Checkpoint

if TYPE_CHECKING:  # grpc generates these for type checkers only
    from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceAsyncStub

FETCH_SECS = 900.0  # through the network
VERIFY_DEADLINE_SECS = 120.0  # every byte is read and hashed

_SHORT = re.compile(r"(?P<run>[^/@]+)@(?P<weights>weights-)?(?P<step>\d{1,8})")


def full_name(checkpoint: str) -> str:
    """`runs/{run}/checkpoints/{checkpoint}` from a name, `run@step`, `run@weights-step` (one that
    holds weights only) or `imports/{name}`.

    Raises InvalidArgument for anything else.
    """
    if short := _SHORT.fullmatch(checkpoint):
        named = weights_name if short["weights"] else checkpoint_name
        return named(short["run"], int(short["step"]))
    if checkpoint.startswith(f"{IMPORTS}/"):
        return import_name(checkpoint.removeprefix(f"{IMPORTS}/"))
    if not checkpoint.startswith("runs/"):
        raise InvalidArgument.field(
            "checkpoint",
            'must look like "RUN@STEP", "imports/NAME" or "runs/{run}/checkpoints/{checkpoint}"',
        )
    checkpoint_ids(checkpoint)
    return checkpoint


def import_name(name: str) -> str:
    return f"{run_name(IMPORTS)}/checkpoints/{check_id('name', name)}"


class Checkpoints:
    """What the checkpoint service holds. Names may be written `run@step`."""

    def __init__(self, service: CheckpointServiceAsyncStub) -> None:
        self._service = service

    async def list(
        self, run: str = "", *, trashed: bool = False, in_bucket: bool = False
    ) -> Sequence[Checkpoint]:
        """The checkpoints of one run, or of all, newest first; or those that can be restored, or
        those in the bucket."""
        found: list[Checkpoint] = []
        parent = run_name(run.removeprefix("runs/")) if run else ""
        request = messages.ListCheckpointsRequest(run=parent, trashed=trashed, in_bucket=in_bucket)
        async for page in pages(self._service.ListCheckpoints, request):
            found += page.checkpoints
        return found

    async def get(self, checkpoint: str) -> Checkpoint:
        request = messages.GetCheckpointRequest(name=full_name(checkpoint))
        return (await self._service.GetCheckpoint(request)).checkpoint

    async def verify(self, checkpoint: str) -> Sequence[str]:
        """What is damaged, in sentences; empty when every byte is as it was saved."""
        request = messages.VerifyCheckpointRequest(name=full_name(checkpoint))
        answer = await self._service.VerifyCheckpoint(request, timeout=VERIFY_DEADLINE_SECS)
        return list(answer.damage) or ([] if answer.whole else ["it is damaged"])

    async def update(
        self,
        checkpoint: str,
        *,
        pinned: bool | None = None,
        notes: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Checkpoint:
        """What is not given stays; a label with an empty text is removed."""
        request = messages.UpdateCheckpointRequest(
            name=full_name(checkpoint), pinned=pinned, notes=notes, labels=labels
        )
        return (await self._service.UpdateCheckpoint(request)).checkpoint

    async def delete(self, checkpoint: str, *, permanently: bool = False) -> Checkpoint | None:
        """To the trash: answers it with the time until which it can be restored, or None when it
        is gone for good."""
        request = messages.DeleteCheckpointRequest(
            name=full_name(checkpoint), permanently=permanently
        )
        answer = await self._service.DeleteCheckpoint(request, timeout=VERIFY_DEADLINE_SECS)
        return answer.checkpoint if answer.HasField("checkpoint") else None

    async def restore(self, checkpoint: str) -> Checkpoint:
        request = messages.RestoreCheckpointRequest(name=full_name(checkpoint))
        return (await self._service.RestoreCheckpoint(request)).checkpoint

    async def fetch(self, checkpoint: str) -> Checkpoint:
        """Back from the bucket."""
        request = messages.FetchCheckpointRequest(name=full_name(checkpoint))
        return (await self._service.FetchCheckpoint(request, timeout=FETCH_SECS)).checkpoint

    async def retain(
        self,
        run: str,
        *,
        keep_last: int = 2,
        keep_best: bool = True,
        keep_every: int = 0,
        log_spaced: bool = False,
        dry_run: bool,
    ) -> messages.ApplyRetentionResponse:
        """What stays and why; the rest goes to the trash unless it is a dry run."""
        request = messages.ApplyRetentionRequest(
            run=run_name(run.removeprefix("runs/")),
            policy=messages.RetentionPolicy(
                keep_last=keep_last,
                keep_best=keep_best,
                keep_every=keep_every,
                log_spaced=log_spaced,
            ),
            dry_run=dry_run,
        )
        return await self._service.ApplyRetention(request, timeout=VERIFY_DEADLINE_SECS)

    async def disk_use(self) -> messages.GetDiskUseResponse:
        return await self._service.GetDiskUse(messages.GetDiskUseRequest())

    async def export(self, checkpoint: str, destination: Path) -> Checkpoint:
        """A folder that `transformers` opens, or one .safetensors file of weights."""
        return await transfer.export(self._service, full_name(checkpoint), destination)

    async def bring_in(self, folder: Path, name: str) -> Checkpoint:
        """Weights of a Hugging Face GPT-2 folder, as `imports/{name}`: to look into."""
        return await transfer.bring_in(self._service, folder, import_name(name))
