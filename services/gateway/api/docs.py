"""The OpenAPI document, complete, and /docs: Swagger UI from a package, no other host involved."""

import importlib.util
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response

import lab
from lab.errors import LabError
from lab.v1.error_pb2 import Problem
from services.gateway.api import problems
from services.gateway.api.schemas import definitions, reference, referred_names

# The package is there for its files alone; nothing of it is run.
_PACKAGE = "fastapi_offline"
_FILES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Pretraining Lab API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "/api/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis],
});
"""
_ABOUT = (
    "Commands and questions. What happens is told on the one WebSocket, `/api/live` "
    "(`proto/lab/v1/live.proto`). Bodies are the messages of `proto/lab/v1` as ProtoJSON: "
    "lowerCamelCase, enums by name, 64-bit integers as strings. Send "
    "`Accept: application/x-protobuf` to get them in binary. Errors are "
    "`application/problem+json`."
)


def problem_responses() -> dict[int | str, dict[str, Any]]:
    """What every route may answer instead."""
    content = {problems.MEDIA_TYPE: {"schema": reference(Problem)}}
    return {
        "4XX": {"description": "The request was refused.", "content": content},
        "5XX": {"description": "The lab could not do it now.", "content": content},
    }


def openapi(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title="Pretraining Lab", version=lab.__version__, description=_ABOUT, routes=app.routes
    )
    schemas = definitions(referred_names(document["paths"]))
    document["components"] = {"schemas": schemas}
    return document


def router(app: FastAPI) -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    made: list[dict[str, Any]] = []

    @routes.get("/api/openapi.json")
    async def get_openapi_document() -> JSONResponse:
        if not made:
            made.append(openapi(app))
        return JSONResponse(made[0])

    @routes.get("/docs")
    async def get_docs() -> HTMLResponse:
        return HTMLResponse(_PAGE)

    @routes.get("/docs/start.js")
    async def get_start() -> Response:
        return Response(_START, media_type="text/javascript")

    for name, media_type in _FILES.items():
        _add_file(routes, name, media_type)
    return routes


def _add_file(routes: APIRouter, name: str, media_type: str) -> None:
    path = _assets() / name

    @routes.get(f"/docs/{name}")
    async def get_file() -> FileResponse:
        return FileResponse(path, media_type=media_type)


def _assets() -> Path:
    """Where the package keeps Swagger UI; found without importing it."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise LabError(f"the package {_PACKAGE} is not installed; run `make install`")
    return Path(spec.submodule_search_locations[0]) / "static"
