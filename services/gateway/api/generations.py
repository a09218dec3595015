"""Start and cancel a text. Its tokens arrive on the live channel of the same name."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from lab.names import check_id
from lab.v1.inference_service_pb2 import GenerateRequest
from lab.v1.rest_pb2 import CreateGenerationResponse
from services.gateway.api.paths import GenerationId
from services.gateway.api.protojson import Body, documented, respond
from services.gateway.generations import Generations

_GENERATE = Body(GenerateRequest)
GenerateBody = Annotated[GenerateRequest, Depends(_GENERATE)]


def router(generations: Generations) -> APIRouter:
    routes = APIRouter(prefix="/api/generations", tags=["generations"])

    @routes.post("", **documented(CreateGenerationResponse, body=_GENERATE))
    async def create_generation(request: Request, body: GenerateBody) -> Response:
        """Begins to continue a prompt; answers after the first token, or after two seconds."""
        text = await generations.start(body)
        return respond(request, CreateGenerationResponse(generation=text.message()))

    @routes.get("/{generation:id}", **documented(CreateGenerationResponse))
    async def get_generation(request: Request, generation: GenerationId) -> Response:
        """What was written so far; kept for a minute after the end."""
        text = generations.find(_name(generation))
        return respond(request, CreateGenerationResponse(generation=text.message()))

    @routes.delete("/{generation:id}", **documented(CreateGenerationResponse))
    async def cancel_generation(request: Request, generation: GenerationId) -> Response:
        """Stops the writing; answers what was written."""
        text = await generations.cancel(_name(generation))
        return respond(request, CreateGenerationResponse(generation=text.message()))

    return routes


def _name(generation: str) -> str:
    return f"generations/{check_id('generation', generation)}"
