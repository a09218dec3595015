"""Checkpoints: list, verify, mark, delete, restore, retain, fetch. Bytes: see downloads.py."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from lab.names import run_name
from lab.v1 import checkpoint_service_pb2 as checkpoints
from services.gateway.api.paths import (
    CheckpointName,
    PageSize,
    PageToken,
    RunId,
    checkpoint_in_path,
)
from services.gateway.api.protojson import Body, documented, respond
from services.gateway.api.verbs import Verb, add_verb
from services.gateway.upstream import Upstream, ask

# Hashing 1.5 GB, the largest preset with its optimizer, takes seconds; a slow disk takes longer.
VERIFY_DEADLINE_SECS = 300.0
DELETE_DEADLINE_SECS = 60.0
FETCH_DEADLINE_SECS = 900.0  # through the network

_UPDATE = Body(checkpoints.UpdateCheckpointRequest, without=("name",))
_RETAIN = Body(checkpoints.ApplyRetentionRequest, without=("run",))
UpdateBody = Annotated[checkpoints.UpdateCheckpointRequest, Depends(_UPDATE)]
RetentionBody = Annotated[checkpoints.ApplyRetentionRequest, Depends(_RETAIN)]
Trashed = Annotated[bool, Query(description="what is in the trash instead")]
InBucket = Annotated[bool, Query(alias="inBucket", description="what the bucket holds instead")]
_ONE = "/runs/{run:id}/checkpoints/{checkpoint:id}"

_VERBS = (
    Verb(
        "verify",
        "VerifyCheckpoint",
        checkpoints.VerifyCheckpointRequest,
        checkpoints.VerifyCheckpointResponse,
        "Hashes every file again and compares with the manifest.",
        VERIFY_DEADLINE_SECS,
    ),
    Verb(
        "restore",
        "RestoreCheckpoint",
        checkpoints.RestoreCheckpointRequest,
        checkpoints.RestoreCheckpointResponse,
        "Takes a checkpoint back from the trash.",
    ),
    Verb(
        "fetch",
        "FetchCheckpoint",
        checkpoints.FetchCheckpointRequest,
        checkpoints.FetchCheckpointResponse,
        "Brings a checkpoint back from the bucket.",
        FETCH_DEADLINE_SECS,
    ),
)


def router(upstream: Upstream) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["checkpoints"])
    _add_lists(routes, upstream)
    _add_resource(routes, upstream)
    for verb in _VERBS:
        add_verb(
            routes,
            verb,
            of="checkpoint",
            path=_ONE,
            named=checkpoint_in_path,
            stub=upstream.checkpoint,
        )
    return routes


def _add_lists(routes: APIRouter, upstream: Upstream) -> None:
    stub = upstream.checkpoint

    @routes.get("/checkpoints", **documented(checkpoints.ListCheckpointsResponse))
    async def list_checkpoints(
        request: Request,
        page_size: PageSize = 0,
        page_token: PageToken = "",
        trashed: Trashed = False,
        in_bucket: InBucket = False,
    ) -> Response:
        """The checkpoints of all runs, newest first."""
        page = checkpoints.ListCheckpointsRequest(
            page_size=page_size, page_token=page_token, trashed=trashed, in_bucket=in_bucket
        )
        return respond(request, await ask(stub.ListCheckpoints, page))

    @routes.get("/runs/{run:id}/checkpoints", **documented(checkpoints.ListCheckpointsResponse))
    async def list_checkpoints_of_run(
        request: Request,
        run: RunId,
        page_size: PageSize = 0,
        page_token: PageToken = "",
        trashed: Trashed = False,
        in_bucket: InBucket = False,
    ) -> Response:
        """The checkpoints of one run, newest first."""
        page = checkpoints.ListCheckpointsRequest(
            run=run_name(run),
            page_size=page_size,
            page_token=page_token,
            trashed=trashed,
            in_bucket=in_bucket,
        )
        return respond(request, await ask(stub.ListCheckpoints, page))

    @routes.post(
        "/runs/{run:id}/checkpoints:retain",
        **documented(checkpoints.ApplyRetentionResponse, body=_RETAIN),
    )
    async def apply_retention(request: Request, run: RunId, body: RetentionBody) -> Response:
        """Says what a policy keeps of a run; moves the rest to the trash unless `dryRun`."""
        body.run = run_name(run)
        decided = await ask(stub.ApplyRetention, body, timeout_secs=DELETE_DEADLINE_SECS)
        return respond(request, decided)

    @routes.get("/checkpoints:disk", **documented(checkpoints.GetDiskUseResponse))
    async def get_disk_use(request: Request) -> Response:
        """Bytes per run, in the trash, and free for new checkpoints."""
        return respond(request, await ask(stub.GetDiskUse, checkpoints.GetDiskUseRequest()))


def _add_resource(routes: APIRouter, upstream: Upstream) -> None:
    stub = upstream.checkpoint

    @routes.get(_ONE, **documented(checkpoints.GetCheckpointResponse))
    async def get_checkpoint(request: Request, name: CheckpointName) -> Response:
        """One checkpoint."""
        one = checkpoints.GetCheckpointRequest(name=name)
        return respond(request, await ask(stub.GetCheckpoint, one))

    @routes.patch(_ONE, **documented(checkpoints.UpdateCheckpointResponse, body=_UPDATE))
    async def update_checkpoint(
        request: Request, name: CheckpointName, body: UpdateBody
    ) -> Response:
        """Pins, labels or annotates; a field that is not given stays."""
        body.name = name
        return respond(request, await ask(stub.UpdateCheckpoint, body))

    @routes.delete(_ONE, **documented(checkpoints.DeleteCheckpointResponse))
    async def delete_checkpoint(
        request: Request,
        name: CheckpointName,
        permanently: Annotated[bool, Query(description="not to the trash, and out of it")] = False,
    ) -> Response:
        """Moves a checkpoint to the trash, where it can be restored for a while."""
        one = checkpoints.DeleteCheckpointRequest(name=name, permanently=permanently)
        done = await ask(stub.DeleteCheckpoint, one, timeout_secs=DELETE_DEADLINE_SECS)
        return respond(request, done)
