"""Checkpoints: list, verify, mark, delete, restore, retain, fetch. Bytes: see downloads.py."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from lab.names import check_id, run_name
from lab.v1 import checkpoint_service_pb2 as checkpoints
from services.gateway.api.paths import CheckpointId, PageSize, PageToken, RunId
from services.gateway.api.protojson import Body, documented, respond
from services.gateway.upstream import Upstream, ask

# Hashing 1.5 GB, the largest preset with its optimizer, takes seconds; a slow disk takes longer.
VERIFY_DEADLINE_SECS = 300.0
DELETE_DEADLINE_SECS = 60.0
FETCH_DEADLINE_SECS = 900.0  # through the network

VerifyBody = Annotated[
    checkpoints.VerifyCheckpointRequest,
    Depends(Body(checkpoints.VerifyCheckpointRequest, without=("name",))),
]


UpdateBody = Annotated[
    checkpoints.UpdateCheckpointRequest,
    Depends(Body(checkpoints.UpdateCheckpointRequest, without=("name",))),
]
RestoreBody = Annotated[
    checkpoints.RestoreCheckpointRequest,
    Depends(Body(checkpoints.RestoreCheckpointRequest, without=("name",))),
]
RetentionBody = Annotated[
    checkpoints.ApplyRetentionRequest,
    Depends(Body(checkpoints.ApplyRetentionRequest, without=("run",))),
]
FetchBody = Annotated[
    checkpoints.FetchCheckpointRequest,
    Depends(Body(checkpoints.FetchCheckpointRequest, without=("name",))),
]
Trashed = Annotated[bool, Query(description="what is in the trash instead")]
InBucket = Annotated[bool, Query(alias="inBucket", description="what the bucket holds instead")]


def router(upstream: Upstream) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["checkpoints"])
    _add_lists(routes, upstream)
    _add_resource(routes, upstream)
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
        **documented(
            checkpoints.ApplyRetentionResponse,
            body=checkpoints.ApplyRetentionRequest,
            without=("run",),
        ),
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

    @routes.get(
        "/runs/{run:id}/checkpoints/{checkpoint:id}",
        **documented(checkpoints.GetCheckpointResponse),
    )
    async def get_checkpoint(request: Request, run: RunId, checkpoint: CheckpointId) -> Response:
        """One checkpoint."""
        one = checkpoints.GetCheckpointRequest(name=_name(run, checkpoint))
        return respond(request, await ask(stub.GetCheckpoint, one))

    @routes.post(
        "/runs/{run:id}/checkpoints/{checkpoint:id}:verify",
        **documented(
            checkpoints.VerifyCheckpointResponse,
            body=checkpoints.VerifyCheckpointRequest,
            without=("name",),
        ),
    )
    async def verify_checkpoint(
        request: Request, run: RunId, checkpoint: CheckpointId, body: VerifyBody
    ) -> Response:
        """Hashes every file again and compares with the manifest."""
        body.name = _name(run, checkpoint)
        verified = await ask(stub.VerifyCheckpoint, body, timeout_secs=VERIFY_DEADLINE_SECS)
        return respond(request, verified)

    @routes.patch(
        "/runs/{run:id}/checkpoints/{checkpoint:id}",
        **documented(
            checkpoints.UpdateCheckpointResponse,
            body=checkpoints.UpdateCheckpointRequest,
            without=("name",),
        ),
    )
    async def update_checkpoint(
        request: Request, run: RunId, checkpoint: CheckpointId, body: UpdateBody
    ) -> Response:
        """Pins, labels or annotates; a field that is not given stays."""
        body.name = _name(run, checkpoint)
        return respond(request, await ask(stub.UpdateCheckpoint, body))

    @routes.delete(
        "/runs/{run:id}/checkpoints/{checkpoint:id}",
        **documented(checkpoints.DeleteCheckpointResponse),
    )
    async def delete_checkpoint(
        request: Request,
        run: RunId,
        checkpoint: CheckpointId,
        permanently: Annotated[bool, Query(description="not to the trash, and out of it")] = False,
    ) -> Response:
        """Moves a checkpoint to the trash, where it can be restored for a while."""
        one = checkpoints.DeleteCheckpointRequest(
            name=_name(run, checkpoint), permanently=permanently
        )
        done = await ask(stub.DeleteCheckpoint, one, timeout_secs=DELETE_DEADLINE_SECS)
        return respond(request, done)

    @routes.post(
        "/runs/{run:id}/checkpoints/{checkpoint:id}:restore",
        **documented(
            checkpoints.RestoreCheckpointResponse,
            body=checkpoints.RestoreCheckpointRequest,
            without=("name",),
        ),
    )
    async def restore_checkpoint(
        request: Request, run: RunId, checkpoint: CheckpointId, body: RestoreBody
    ) -> Response:
        """Takes a checkpoint back from the trash."""
        body.name = _name(run, checkpoint)
        return respond(request, await ask(stub.RestoreCheckpoint, body))

    @routes.post(
        "/runs/{run:id}/checkpoints/{checkpoint:id}:fetch",
        **documented(
            checkpoints.FetchCheckpointResponse,
            body=checkpoints.FetchCheckpointRequest,
            without=("name",),
        ),
    )
    async def fetch_checkpoint(
        request: Request, run: RunId, checkpoint: CheckpointId, body: FetchBody
    ) -> Response:
        """Brings a checkpoint back from the bucket."""
        body.name = _name(run, checkpoint)
        fetched = await ask(stub.FetchCheckpoint, body, timeout_secs=FETCH_DEADLINE_SECS)
        return respond(request, fetched)


def _name(run: str, checkpoint: str) -> str:
    return f"{run_name(run)}/checkpoints/{check_id('checkpoint', checkpoint)}"
