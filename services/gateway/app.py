"""Puts the application together: routers, the live socket, errors as problems, the gate around."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from lab.errors import InvalidArgument, LabError, Violation
from lab.service.readiness import Readiness
from services.gateway.access import Gate
from services.gateway.api import (
    catalogue,
    checkpoints,
    docs,
    downloads,
    generations,
    models,
    problems,
    recordings,
    runs,
    system,
)
from services.gateway.api.protojson import MAX_BODY_BYTES
from services.gateway.dashboard import Dashboard
from services.gateway.generations import Generations
from services.gateway.live.endpoint import Live
from services.gateway.places import AllowedPlaces
from services.gateway.rates import Rates
from services.gateway.sessions import Sessions
from services.gateway.upstream import Upstream


@dataclass(frozen=True)
class Parts:
    """What the application is made of."""

    upstream: Upstream
    generations: Generations
    live: Live
    readiness: Readiness
    sessions: Sessions | None
    rates: Rates
    dashboard: Path


def make_app(parts: Parts, places: AllowedPlaces) -> ASGIApp:
    app = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        max_body_size=MAX_BODY_BYTES,
        responses=docs.problem_responses(),
    )
    app.add_exception_handler(LabError, _lab_error)
    app.add_exception_handler(RequestValidationError, _invalid_parameters)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _internal_error)
    app.include_router(runs.router(parts.upstream))
    app.include_router(recordings.router(parts.upstream))
    app.include_router(checkpoints.router(parts.upstream))
    app.include_router(downloads.router(parts.upstream))
    app.include_router(models.router(parts.upstream))
    app.include_router(generations.router(parts.generations))
    app.include_router(catalogue.router(parts.upstream))
    app.include_router(
        system.router(
            readiness=parts.readiness, status=parts.live.hub.status, sessions=parts.sessions
        )
    )
    app.include_router(docs.router(app))
    app.add_api_websocket_route("/api/live", parts.live.serve)
    # Not a mount: that would match every address before a wrong method could be told.
    app.router.default = Dashboard(parts.dashboard)
    return Gate(app, places=places, rates=parts.rates, sessions=parts.sessions)


async def _lab_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, LabError)
    return problems.respond(problems.problem_of(error, **_about(request)))


async def _invalid_parameters(request: Request, error: Exception) -> Response:
    """Query, path and header values; what was sent is not repeated."""
    assert isinstance(error, RequestValidationError)
    violations = [
        Violation(str(problem["loc"][-1]), f"{problem['msg']}".lower())
        for problem in error.errors()
    ]
    return await _lab_error(request, InvalidArgument.of(*violations))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    problem = problems.problem_of_status(error.status_code, **_about(request))
    return problems.respond(problem, headers=error.headers)


async def _internal_error(request: Request, error: Exception) -> Response:
    """The gate logs it; here it only gets its answer."""
    del error
    return problems.respond(problems.internal_problem(**_about(request)))


def _about(request: Request) -> dict[str, str]:
    # The path as it was routed; request.url is put together from what the client says.
    return {"instance": request.scope["path"], "request_id": request.state.request_id}
