"""Models in memory, and questions about their inside."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from lab.names import model_name
from lab.v1 import analysis_service_pb2 as analysis
from lab.v1 import inference_service_pb2 as inference
from services.gateway.api.paths import ModelId
from services.gateway.api.protojson import Body, documented, respond
from services.gateway.upstream import Upstream, ask

LOAD_DEADLINE_SECS = 120.0  # fetch, verify and build a model of 500 MB of weights
ATTENTION_DEADLINE_SECS = 15.0
ANALYSIS_DEADLINE_SECS = 60.0  # of a long text in a large model, with others before it

_LOAD = Body(inference.LoadModelRequest)
_TOKENIZE = Body(inference.TokenizeRequest)
_ANALYSE = Body(analysis.AnalyseRequest, without=("model",))
_ATTENTION = Body(analysis.GetAttentionRequest, without=("model",))
LoadBody = Annotated[inference.LoadModelRequest, Depends(_LOAD)]
TokenizeBody = Annotated[inference.TokenizeRequest, Depends(_TOKENIZE)]
AnalyseBody = Annotated[analysis.AnalyseRequest, Depends(_ANALYSE)]
AttentionBody = Annotated[analysis.GetAttentionRequest, Depends(_ATTENTION)]


def router(upstream: Upstream) -> APIRouter:
    routes = APIRouter(prefix="/api/models", tags=["models"])

    @routes.get("", **documented(inference.ListModelsResponse))
    async def list_models(request: Request) -> Response:
        """The models in memory, most recently used first."""
        models = await ask(upstream.inference.ListModels, inference.ListModelsRequest())
        return respond(request, models)

    @routes.post(":load", **documented(inference.LoadModelResponse, body=_LOAD))
    async def load_model(request: Request, body: LoadBody) -> Response:
        """Fetches a checkpoint or a peek, verifies it and keeps the model in memory."""
        loaded = await ask(upstream.inference.LoadModel, body, timeout_secs=LOAD_DEADLINE_SECS)
        return respond(request, loaded)

    @routes.post(":tokenize", **documented(inference.TokenizeResponse, body=_TOKENIZE))
    async def tokenize(request: Request, body: TokenizeBody) -> Response:
        """How a text splits into tokens."""
        return respond(request, await ask(upstream.inference.Tokenize, body))

    @routes.delete("/{model:id}", **documented(inference.UnloadModelResponse))
    async def unload_model(request: Request, model: ModelId) -> Response:
        """Lets go of a model."""
        one = inference.UnloadModelRequest(name=model_name(model))
        return respond(request, await ask(upstream.inference.UnloadModel, one))

    @routes.post(
        "/{model:id}:attention",
        **documented(analysis.GetAttentionResponse, body=_ATTENTION),
    )
    async def get_attention(request: Request, model: ModelId, body: AttentionBody) -> Response:
        """What each token attends to. Ask for `application/x-protobuf` to get plain bytes."""
        body.model = model_name(model)
        maps = await ask(upstream.analysis.GetAttention, body, timeout_secs=ATTENTION_DEADLINE_SECS)
        return respond(request, maps)

    @routes.post(
        "/{model:id}:analyse",
        **documented(analysis.AnalyseResponse, body=_ANALYSE),
    )
    async def analyse(request: Request, model: ModelId, body: AnalyseBody) -> Response:
        """One question about a text, as arrays. Ask for `application/x-protobuf` to get bytes."""
        body.model = model_name(model)
        answer = await ask(upstream.analysis.Analyse, body, timeout_secs=ANALYSIS_DEADLINE_SECS)
        return respond(request, answer)

    return routes
