"""What can be trained: presets and corpora."""

from fastapi import APIRouter, Request, Response

from lab.errors import NotFound
from lab.names import check_id
from lab.v1 import trainer_service_pb2 as trainer
from services.gateway.api.paths import CorpusId, PresetId
from services.gateway.api.protojson import documented, respond
from services.gateway.upstream import Upstream, ask

PREVIEW_DEADLINE_SECS = 60.0  # the text may have to be fetched and tokenised first


def router(upstream: Upstream) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["presets and corpora"])
    stub = upstream.trainer

    @routes.get("/presets", **documented(trainer.ListPresetsResponse))
    async def list_presets(request: Request) -> Response:
        """The presets, complete, smallest first."""
        return respond(request, await ask(stub.ListPresets, trainer.ListPresetsRequest()))

    @routes.get("/presets/{preset:id}", **documented(trainer.Preset))
    async def get_preset(request: Request, preset: PresetId) -> Response:
        """One preset."""
        presets = (await ask(stub.ListPresets, trainer.ListPresetsRequest())).presets
        for each in presets:
            if each.name == preset:
                return respond(request, each)
        known = ", ".join(each.name for each in presets)
        raise NotFound(f"no preset is called {preset}; known: {known}")

    @routes.get("/corpora", **documented(trainer.ListCorporaResponse))
    async def list_corpora(request: Request) -> Response:
        """The corpora known here, ready or not."""
        return respond(request, await ask(stub.ListCorpora, trainer.ListCorporaRequest()))

    @routes.get("/corpora/{corpus:id}:preview", **documented(trainer.PreviewCorpusResponse))
    async def preview_corpus(request: Request, corpus: CorpusId) -> Response:
        """The beginning of a corpus; fetches the text when it is absent."""
        one = trainer.PreviewCorpusRequest(name=f"corpora/{check_id('corpus', corpus)}")
        preview = await ask(stub.PreviewCorpus, one, timeout_secs=PREVIEW_DEADLINE_SECS)
        return respond(request, preview)

    return routes
