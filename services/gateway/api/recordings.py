"""What a run recorded beside its metrics: health of tensors, probe texts, the text of a batch."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from lab.limits import MAX_COLUMNS, MAX_RECORDS, MAX_SEQUENCES
from lab.names import run_name
from lab.v1 import recording_pb2 as recording
from services.gateway.api.paths import MAX_UINT32, RunId, StepQuery
from services.gateway.api.protojson import documented, respond
from services.gateway.upstream import Upstream, ask

StepPath = Annotated[int, Path(ge=0, le=MAX_UINT32, description="steps made")]
Place = Annotated[int, Query(ge=0, le=MAX_UINT32)]


def router(upstream: Upstream) -> APIRouter:
    routes = APIRouter(prefix="/api/runs/{run:id}", tags=["recordings"])
    stub = upstream.trainer

    @routes.get("/health", **documented(recording.QueryHealthResponse))
    async def query_health(
        request: Request,
        run: RunId,
        metric: Annotated[
            str, Query(max_length=40, description='"update_ratio" when not given')
        ] = "",
        step_from: Annotated[StepQuery, Query(alias="stepFrom", le=MAX_UINT32)] = 0,
        step_to: Annotated[StepQuery, Query(alias="stepTo", le=MAX_UINT32)] = 0,
        max_columns: Annotated[int, Query(alias="maxColumns", ge=0, le=MAX_COLUMNS)] = 0,
    ) -> Response:
        """One metric of every tensor or layer over the run, and what broke first."""
        query = recording.QueryHealthRequest(
            name=run_name(run),
            metric=metric,
            step_from=step_from,
            step_to=step_to,
            max_columns=max_columns,
        )
        return respond(request, await ask(stub.QueryHealth, query))

    @routes.get("/probes", **documented(recording.ListProbesResponse))
    async def list_probes(
        request: Request,
        run: RunId,
        scores: Annotated[bool, Query(description="head scores too")] = False,
        limit: Annotated[int, Query(ge=0, le=MAX_RECORDS)] = 0,
    ) -> Response:
        """Token losses on the run's probe texts, at every step they were looked at."""
        query = recording.ListProbesRequest(name=run_name(run), scores=scores, limit=limit)
        return respond(request, await ask(stub.ListProbes, query))

    @routes.get("/probes/{step}", **documented(recording.GetProbeResponse))
    async def get_probe(request: Request, run: RunId, step: StepPath) -> Response:
        """One look at the probe texts, with small attention maps of every head."""
        query = recording.GetProbeRequest(name=run_name(run), step=step)
        return respond(request, await ask(stub.GetProbe, query))

    @routes.get("/batches/{step}", **documented(recording.GetBatchResponse))
    async def get_batch(
        request: Request,
        run: RunId,
        step: StepPath,
        sequences: Annotated[
            list[Place] | None,
            Query(max_length=MAX_SEQUENCES, description="places in the batch; none: the worst"),
        ] = None,
    ) -> Response:
        """The text that a step read, and the loss of each sequence."""
        query = recording.GetBatchRequest(name=run_name(run), step=step, sequences=sequences)
        return respond(request, await ask(stub.GetBatch, query))

    return routes
