"""How the lab is doing, and the door for those who hold the token."""

from __future__ import annotations

from collections.abc import Callable

import prometheus_client
from fastapi import APIRouter, Request, Response

import lab
from lab.errors import Code, LabError
from lab.service.readiness import Readiness
from lab.v1 import error_pb2
from lab.v1.rest_pb2 import Health, SystemStatus
from services.gateway.api.protojson import documented, respond
from services.gateway.sessions import Sessions


def router(
    *, readiness: Readiness, status: Callable[[], SystemStatus], sessions: Sessions | None
) -> APIRouter:
    routes = APIRouter(tags=["system"])

    def health() -> Health:
        return Health(
            status="ok" if readiness.ready else "waiting",
            version=lab.__version__,
            waiting_for=readiness.waiting_for,
        )

    @routes.get("/api/health", **documented(Health))
    @routes.get("/readyz", include_in_schema=False)
    async def get_health(request: Request) -> Response:
        """Whether everything the gateway needs has answered; 503 and what is missing if not."""
        return respond(request, health(), status=200 if readiness.ready else 503)

    @routes.get("/healthz", include_in_schema=False)
    async def get_liveness(request: Request) -> Response:
        """Whether the gateway's own loop turns."""
        return respond(request, Health(status="ok", version=lab.__version__))

    @routes.get("/api/system", **documented(SystemStatus))
    async def get_system(request: Request) -> Response:
        """The services, as they last said they were, and the live socket."""
        return respond(request, status())

    @routes.get("/metrics", include_in_schema=False)
    async def get_metrics() -> Response:
        """Counters for Prometheus."""
        return Response(
            prometheus_client.generate_latest(), media_type=prometheus_client.CONTENT_TYPE_LATEST
        )

    if sessions is not None:

        @routes.post("/api/session", status_code=204)
        async def create_session(request: Request) -> Response:
            """Swaps the bearer token for a cookie that scripts cannot read."""
            if not sessions.holds_token(request.headers):
                raise LabError(
                    "that is not this gateway's token",
                    code=Code.UNAUTHENTICATED,
                    reason=error_pb2.ERROR_REASON_FORBIDDEN_ORIGIN,
                )
            return Response(status_code=204, headers={"Set-Cookie": sessions.set_cookie()})

    return routes
