"""InferenceService: translates between the wire and models, tokenizer and generation."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from lab.errors import InvalidArgument, OverLimit, Violation
from lab.v1 import inference_service_pb2 as messages
from lab.v1 import inference_service_pb2_grpc as services
from lab.v1.tensor_pb2 import Token
from services.inference.generation.engine import Drawn, Options, generate
from services.inference.generation.session import Sessions, TextDeltas
from services.inference.models.registry import Registry
from services.inference.words import Words

MAX_TOKENS = 512
MAX_TEMPERATURE = 100.0
DEFAULT_TOKENS, DEFAULT_TEMPERATURE, DEFAULT_TOP_K = 64, 0.8, 40


class GenerationServicer(services.InferenceServiceServicer):
    def __init__(self, registry: Registry, words: Words, sessions: Sessions) -> None:
        self._registry = registry
        self._words = words
        self._sessions = sessions

    async def LoadModel(
        self, request: messages.LoadModelRequest, context: Any
    ) -> messages.LoadModelResponse:
        model = await self._registry.load(request.source)
        return messages.LoadModelResponse(model=model.described())

    async def ListModels(
        self, request: messages.ListModelsRequest, context: Any
    ) -> messages.ListModelsResponse:
        models = [model.described() for model in self._registry.list()]
        return messages.ListModelsResponse(models=models)

    async def UnloadModel(
        self, request: messages.UnloadModelRequest, context: Any
    ) -> messages.UnloadModelResponse:
        self._registry.unload(request.name)
        return messages.UnloadModelResponse()

    async def Tokenize(
        self, request: messages.TokenizeRequest, context: Any
    ) -> messages.TokenizeResponse:
        ids = await self._words.split(request.text, field="text")
        return messages.TokenizeResponse(tokens=await self._words.tokens(ids))

    async def Generate(
        self, request: messages.GenerateRequest, context: Any
    ) -> AsyncIterator[messages.GenerateResponse]:
        began = time.monotonic()
        model = self._registry.get(request.model).network
        tokenizer = await self._words.tokenizer()
        options = _options(request, end_of_text=tokenizer.eot)
        prompt = await self._words.prompt(
            request.prompt, field="prompt", context=model.config.context
        )
        deltas = TextDeltas()
        index, reason = 0, messages.FINISH_REASON_LENGTH
        async for drawn in self._sessions.run(generate(model, prompt, options)):
            if drawn.token == options.end_of_text:
                reason = messages.FINISH_REASON_END_OF_TEXT
                text = ""  # the token's name is no text
            else:
                text = deltas.add(tokenizer.decode_bytes([drawn.token]))
            yield messages.GenerateResponse(
                index=index,
                token=Token(id=drawn.token, text=tokenizer.pieces([drawn.token])[0]),
                text=text,
                probability=drawn.probability,
                alternatives=_alternatives(drawn, tokenizer.pieces),
                elapsed_secs=time.monotonic() - began,
            )
            index += 1
        yield messages.GenerateResponse(
            index=index,
            text=deltas.rest(),
            finish_reason=reason,
            elapsed_secs=time.monotonic() - began,
        )


def _alternatives(drawn: Drawn, pieces: Any) -> Iterator[messages.Alternative]:
    texts = pieces([token for token, _ in drawn.alternatives])
    for (token, probability), text in zip(drawn.alternatives, texts, strict=True):
        yield messages.Alternative(token=Token(id=token, text=text), probability=probability)


def _options(request: messages.GenerateRequest, *, end_of_text: int) -> Options:
    """The request's options with defaults filled in; raises for what cannot be accepted."""
    max_tokens = request.max_tokens or DEFAULT_TOKENS
    if max_tokens > MAX_TOKENS:
        raise OverLimit(
            f"max_tokens: is {max_tokens}; at most {MAX_TOKENS} tokens are generated at a time",
            metadata={"limit": str(MAX_TOKENS), "requested": str(max_tokens)},
            violations=[Violation("max_tokens", f"must be 1 to {MAX_TOKENS}")],
        )
    temperature = request.temperature if request.HasField("temperature") else DEFAULT_TEMPERATURE
    if not (math.isfinite(temperature) and 0 <= temperature <= MAX_TEMPERATURE):
        raise InvalidArgument.field(
            "temperature", f"must be a number from 0 to {MAX_TEMPERATURE:g}; 0.8 is usual"
        )
    return Options(
        max_tokens=max_tokens,
        temperature=temperature,
        top_k=request.top_k if request.HasField("top_k") else DEFAULT_TOP_K,
        seed=request.seed if request.HasField("seed") else secrets.randbits(63),
        end_of_text=end_of_text,
    )
