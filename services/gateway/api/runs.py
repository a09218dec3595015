"""Runs: create, look at, command. Every route hands one message to the trainer."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from lab.errors import InvalidArgument
from lab.limits import MAX_FACTS, MAX_POINTS
from lab.names import run_name
from lab.spec import parse_run_yaml, run_to_yaml
from lab.v1 import trainer_service_pb2 as trainer
from lab.v1.rest_pb2 import RunText
from services.gateway.api.paths import (
    MAX_UINT32,
    IdempotencyKey,
    PageSize,
    PageToken,
    RunId,
    StepQuery,
    run_in_path,
)
from services.gateway.api.protojson import Body, documented, respond
from services.gateway.api.verbs import Verb, add_verb
from services.gateway.upstream import Upstream, ask

# A checkpoint or a peek is answered when its last byte is safe.
SAVE_DEADLINE_SECS = 120.0
# Creating a run may fetch and tokenise its corpus, to turn epochs into steps.
CREATE_DEADLINE_SECS = 60.0
# As many checkpoints as a run has are taken back, one by one.
RESTORE_DEADLINE_SECS = 60.0
YAML = "application/yaml"
_YAML_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"description": "Done.", "content": {YAML: {"schema": {"type": "string"}}}}
}

_CREATE = Body(trainer.CreateRunRequest)
_FORK = Body(trainer.ForkRunRequest)
_TEXT = Body(RunText)
_UPDATE = Body(trainer.UpdateRunRequest, without=("name",))
CreateBody = Annotated[trainer.CreateRunRequest, Depends(_CREATE)]
ForkBody = Annotated[trainer.ForkRunRequest, Depends(_FORK)]
TextBody = Annotated[RunText, Depends(_TEXT)]
UpdateBody = Annotated[trainer.UpdateRunRequest, Depends(_UPDATE)]


_VERBS = (
    Verb(
        "pause",
        "PauseRun",
        trainer.PauseRunRequest,
        trainer.PauseRunResponse,
        "Halts at the next step boundary.",
    ),
    Verb(
        "resume",
        "ResumeRun",
        trainer.ResumeRunRequest,
        trainer.ResumeRunResponse,
        "Goes on from a pause, or from the last checkpoint.",
    ),
    Verb(
        "advance",
        "AdvanceRun",
        trainer.AdvanceRunRequest,
        trainer.AdvanceRunResponse,
        "While paused: makes a few steps and pauses again.",
    ),
    Verb(
        "stop",
        "StopRun",
        trainer.StopRunRequest,
        trainer.StopRunResponse,
        "Ends at the next step boundary, with or without a checkpoint.",
    ),
    Verb(
        "restore",
        "RestoreRun",
        trainer.RestoreRunRequest,
        trainer.RestoreRunResponse,
        "Takes a run back from the trash, with the checkpoints that went there with it.",
        RESTORE_DEADLINE_SECS,
    ),
    Verb(
        "snapshot",
        "SnapshotRun",
        trainer.SnapshotRunRequest,
        trainer.SnapshotRunResponse,
        "Writes a checkpoint now; answers when it is whole.",
        SAVE_DEADLINE_SECS,
    ),
    Verb(
        "peek",
        "PeekRun",
        trainer.PeekRunRequest,
        trainer.PeekRunResponse,
        "Makes the weights of this moment loadable without writing a checkpoint.",
        SAVE_DEADLINE_SECS,
    ),
)


def router(upstream: Upstream) -> APIRouter:
    routes = APIRouter(prefix="/api/runs", tags=["runs"])
    _add_collection(routes, upstream)
    _add_resource(routes, upstream)
    for verb in _VERBS:
        add_verb(routes, verb, of="run", path="/{run:id}", named=run_in_path, stub=upstream.trainer)
    _add_history(routes, upstream)
    return routes


def _add_collection(routes: APIRouter, upstream: Upstream) -> None:
    stub = upstream.trainer

    @routes.get("", **documented(trainer.ListRunsResponse))
    async def list_runs(
        request: Request,
        page_size: PageSize = 0,
        page_token: PageToken = "",
        trashed: Annotated[bool, Query(description="what is in the trash instead")] = False,
    ) -> Response:
        """All runs, newest first."""
        page = trainer.ListRunsRequest(page_size=page_size, page_token=page_token, trashed=trashed)
        return respond(request, await ask(stub.ListRuns, page))

    @routes.post("", **documented(trainer.CreateRunResponse, body=_CREATE))
    async def create_run(
        request: Request, body: CreateBody, idempotency_key: IdempotencyKey = None
    ) -> Response:
        """Resolves and freezes the spec and queues the run; `validateOnly` only checks."""
        _once(body, idempotency_key)
        created = await ask(stub.CreateRun, body, timeout_secs=CREATE_DEADLINE_SECS)
        return respond(request, created)

    @routes.post(":fork", **documented(trainer.ForkRunResponse, body=_FORK))
    async def fork_run(
        request: Request, body: ForkBody, idempotency_key: IdempotencyKey = None
    ) -> Response:
        """Makes a new run that goes on from a checkpoint; `validateOnly` only checks."""
        _once(body, idempotency_key)
        forked = await ask(stub.ForkRun, body, timeout_secs=CREATE_DEADLINE_SECS)
        return respond(request, forked)

    @routes.post(":fromYaml", **documented(trainer.CreateRunRequest, body=_TEXT))
    async def run_from_yaml(request: Request, body: TextBody) -> Response:
        """What a YAML text asks for, ready to be sent to `POST /api/runs`. Creates nothing."""
        asked = parse_run_yaml(body.yaml)
        answer = trainer.CreateRunRequest(preset=asked.preset, overrides=asked.spec)
        return respond(request, answer)

    @routes.post(":toYaml", **documented(RunText, body=_CREATE))
    async def run_to_text(request: Request, body: CreateBody) -> Response:
        """The preset and the overrides as YAML; `lab train --yaml FILE` reads it."""
        return respond(request, RunText(yaml=run_to_yaml(body.preset, body.overrides)))

    @routes.get(":queue", **documented(trainer.GetQueueResponse))
    async def get_queue(request: Request) -> Response:
        """Who waits for a device slot, and for how long, as far as that is measured."""
        return respond(request, await ask(stub.GetQueue, trainer.GetQueueRequest()))


def _add_resource(routes: APIRouter, upstream: Upstream) -> None:
    stub = upstream.trainer

    @routes.get("/{run:id}", **documented(trainer.GetRunResponse))
    async def get_run(request: Request, run: RunId) -> Response:
        """One run."""
        return respond(request, await ask(stub.GetRun, trainer.GetRunRequest(name=run_name(run))))

    @routes.get("/{run:id}:yaml", responses=_YAML_ANSWER)
    async def get_run_yaml(run: RunId) -> Response:
        """The run's whole spec as YAML; `lab train --yaml FILE` makes the same run again."""
        found = (await ask(stub.GetRun, trainer.GetRunRequest(name=run_name(run)))).run
        return Response(
            run_to_yaml(found.preset, found.spec),
            media_type=YAML,
            headers={"Content-Disposition": f'attachment; filename="{run}.yaml"'},
        )

    @routes.patch(
        "/{run:id}",
        **documented(trainer.UpdateRunResponse, body=_UPDATE),
    )
    async def update_run(request: Request, run: RunId, body: UpdateBody) -> Response:
        """Changes names, notes, tags, and what can be changed while the run trains; a field that is
        not given stays."""
        body.name = run_name(run)
        return respond(request, await ask(stub.UpdateRun, body))

    @routes.delete("/{run:id}", **documented(trainer.DeleteRunResponse))
    async def delete_run(
        request: Request,
        run: RunId,
        permanently: Annotated[bool, Query(description="not to the trash, and out of it")] = False,
    ) -> Response:
        """Moves a run at rest to the trash, with its checkpoints."""
        one = trainer.DeleteRunRequest(name=run_name(run), permanently=permanently)
        return respond(request, await ask(stub.DeleteRun, one))


def _once(body: trainer.CreateRunRequest | trainer.ForkRunRequest, key: str | None) -> None:
    """The header Idempotency-Key is the request's id."""
    if key:
        if body.request_id and body.request_id != key:
            raise InvalidArgument.field(
                "request_id", "differs from the header Idempotency-Key; send one of them"
            )
        body.request_id = key


def _add_history(routes: APIRouter, upstream: Upstream) -> None:
    stub = upstream.trainer

    @routes.get("/{run:id}/series", **documented(trainer.QuerySeriesResponse))
    async def query_series(
        request: Request,
        run: RunId,
        series: Annotated[
            list[str] | None, Query(max_length=20, description="which metrics; none means all")
        ] = None,
        step_from: Annotated[StepQuery, Query(alias="stepFrom", le=MAX_UINT32)] = 0,
        step_to: Annotated[StepQuery, Query(alias="stepTo", le=MAX_UINT32)] = 0,
        max_points: Annotated[int, Query(alias="maxPoints", ge=0, le=MAX_POINTS)] = 0,
        inherited: Annotated[
            bool, Query(description="also of the runs it was forked from, up to the fork")
        ] = False,
        mean_of_steps: Annotated[
            int,
            Query(
                alias="meanOfSteps",
                ge=0,
                le=MAX_UINT32,
                description="means of every so many steps instead of points",
            ),
        ] = 0,
    ) -> Response:
        """Metric history, downsampled with the extremes of every bucket kept."""
        query = trainer.QuerySeriesRequest(
            name=run_name(run),
            series=series,
            step_from=step_from,
            step_to=step_to,
            max_points=max_points,
            inherited=inherited,
            mean_of_steps=mean_of_steps,
        )
        return respond(request, await ask(stub.QuerySeries, query))

    @routes.get("/{run:id}/facts", **documented(trainer.ListFactsResponse))
    async def list_facts(
        request: Request,
        run: RunId,
        kinds: Annotated[
            list[str] | None, Query(max_length=20, description='as in "text_sampled"')
        ] = None,
        limit: Annotated[int, Query(ge=0, le=MAX_FACTS)] = 0,
    ) -> Response:
        """Facts of given kinds, oldest first."""
        query = trainer.ListFactsRequest(name=run_name(run), kinds=kinds, limit=limit)
        return respond(request, await ask(stub.ListFacts, query))
