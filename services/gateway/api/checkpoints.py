"""Checkpoints: list, look at, verify, delete. The bytes never pass the gateway."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from lab.names import check_id, run_name
from lab.v1 import checkpoint_service_pb2 as checkpoints
from services.gateway.api.paths import CheckpointId, PageSize, PageToken, RunId
from services.gateway.api.protojson import Body, documented, respond
from services.gateway.upstream import Upstream, ask

# Hashing 1.5 GB, the largest preset with its optimizer, takes seconds; a slow disk takes longer.
VERIFY_DEADLINE_SECS = 300.0
DELETE_DEADLINE_SECS = 60.0

VerifyBody = Annotated[
    checkpoints.VerifyCheckpointRequest,
    Depends(Body(checkpoints.VerifyCheckpointRequest, without=("name",))),
]


def router(upstream: Upstream, *, deleted: Callable[[], Awaitable[None]]) -> APIRouter:
    """`deleted` is called after a checkpoint was removed: nobody publishes that as a fact."""
    routes = APIRouter(prefix="/api", tags=["checkpoints"])
    stub = upstream.checkpoint

    @routes.get("/checkpoints", **documented(checkpoints.ListCheckpointsResponse))
    async def list_checkpoints(
        request: Request, page_size: PageSize = 0, page_token: PageToken = ""
    ) -> Response:
        """The checkpoints of all runs, newest first."""
        page = checkpoints.ListCheckpointsRequest(page_size=page_size, page_token=page_token)
        return respond(request, await ask(stub.ListCheckpoints, page))

    @routes.get("/runs/{run:id}/checkpoints", **documented(checkpoints.ListCheckpointsResponse))
    async def list_checkpoints_of_run(
        request: Request, run: RunId, page_size: PageSize = 0, page_token: PageToken = ""
    ) -> Response:
        """The checkpoints of one run, newest first."""
        page = checkpoints.ListCheckpointsRequest(
            run=run_name(run), page_size=page_size, page_token=page_token
        )
        return respond(request, await ask(stub.ListCheckpoints, page))

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

    @routes.delete(
        "/runs/{run:id}/checkpoints/{checkpoint:id}",
        **documented(checkpoints.DeleteCheckpointResponse),
    )
    async def delete_checkpoint(request: Request, run: RunId, checkpoint: CheckpointId) -> Response:
        """Removes a checkpoint."""
        one = checkpoints.DeleteCheckpointRequest(name=_name(run, checkpoint))
        done = await ask(stub.DeleteCheckpoint, one, timeout_secs=DELETE_DEADLINE_SECS)
        await deleted()
        return respond(request, done)

    return routes


def _name(run: str, checkpoint: str) -> str:
    return f"{run_name(run)}/checkpoints/{check_id('checkpoint', checkpoint)}"
