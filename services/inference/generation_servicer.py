"""InferenceService: translates between the wire and models, tokenizer and generation."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from typing import Any

from lab.errors import InvalidArgument
from lab.text import Tokenizer
from lab.v1 import inference_service_pb2 as messages
from lab.v1 import inference_service_pb2_grpc as services
from lab.v1.tensor_pb2 import Token
from services.inference.generation.asking import options_of
from services.inference.generation.engine import Engine
from services.inference.generation.options import Drawn
from services.inference.generation.text import Stops, TextDeltas
from services.inference.models.registry import Registry
from services.inference.words import Words


class GenerationServicer(services.InferenceServiceServicer):
    def __init__(self, registry: Registry, words: Words, engine: Engine) -> None:
        self._registry = registry
        self._words = words
        self._engine = engine

    async def LoadModel(
        self, request: messages.LoadModelRequest, context: Any
    ) -> messages.LoadModelResponse:
        model = await self._registry.load(request.source)
        return messages.LoadModelResponse(model=model.described())

    async def ListModels(
        self, request: messages.ListModelsRequest, context: Any
    ) -> messages.ListModelsResponse:
        models = [model.described() for model in self._registry.list()]
        loading = [
            messages.LoadingModel(
                source=each.source,
                received_bytes=each.received_bytes,
                total_bytes=each.total_bytes,
            )
            for each in self._registry.loading()
        ]
        return messages.ListModelsResponse(models=models, loading=loading)

    async def UnloadModel(
        self, request: messages.UnloadModelRequest, context: Any
    ) -> messages.UnloadModelResponse:
        self._registry.unload(request.name)
        return messages.UnloadModelResponse()

    async def Tokenize(
        self, request: messages.TokenizeRequest, context: Any
    ) -> messages.TokenizeResponse:
        if request.token_ids:
            if request.text or request.with_merges:
                raise InvalidArgument.field(
                    "token_ids", "must be absent when a text or its merges are asked about"
                )
            tokens = await self._words.read_back(request.token_ids, field="token_ids")
            return messages.TokenizeResponse(tokens=tokens)
        ids = await self._words.split(request.text, field="text")
        tokens = await self._words.tokens(ids)
        words = await self._words.merged(request.text, field="text") if request.with_merges else ()
        return messages.TokenizeResponse(tokens=tokens, words=words)

    async def Generate(
        self, request: messages.GenerateRequest, context: Any
    ) -> AsyncIterator[messages.GenerateResponse]:
        began = time.monotonic()
        context_tokens = self._registry.get(request.model).network.config.context
        tokenizer = await self._words.tokenizer()
        options = options_of(request, end_of_text=tokenizer.eot)
        prompt = await self._words.given(
            *(request.prompt, request.token_ids),
            fields=("prompt", "token_ids"),
            context=context_tokens,
        )
        model = await self._registry.writer(request.model)
        deltas, stops = TextDeltas(), Stops(request.stop)
        index, reason, first_at = 0, messages.FINISH_REASON_LENGTH, began
        # Closing it, also because the reader went away, stops the work within a round.
        with closing(self._engine.begin(model, prompt, options)) as writing:
            async for drawn in writing:
                if drawn.token == options.end_of_text:
                    reason = messages.FINISH_REASON_END_OF_TEXT
                    text = ""  # the token's name is no text
                else:
                    text = stops.add(deltas.add(tokenizer.decode_bytes([drawn.token])))
                now = time.monotonic()
                first_at = now if index == 0 else first_at
                yield _step(drawn, tokenizer, index=index, text=text, secs=now - began)
                index += 1
                if stops.reached:
                    reason = messages.FINISH_REASON_STOP
                    break
        now = time.monotonic()
        yield messages.GenerateResponse(
            index=index,
            text=stops.add(deltas.rest()) + stops.rest(),
            finish_reason=reason,
            elapsed_secs=now - began,
            seed=options.seed,
            timing=messages.GenerationTiming(
                waited_secs=writing.waited_secs,
                first_token_secs=first_at - began,
                tokens_per_sec=(index - 1) / (now - first_at) if index > 1 else 0.0,
                prompt_tokens=len(prompt),
            ),
        )


def _step(
    drawn: Drawn, tokenizer: Tokenizer, *, index: int, text: str, secs: float
) -> messages.GenerateResponse:
    return messages.GenerateResponse(
        index=index,
        token=Token(id=drawn.token, text=tokenizer.pieces([drawn.token])[0]),
        text=text,
        probability=math.exp(drawn.log_probability),
        log_probability=drawn.log_probability,
        alternatives=_alternatives(drawn.alternatives, tokenizer),
        elapsed_secs=secs,
    )


def _alternatives(
    likeliest: Sequence[tuple[int, float]], tokenizer: Tokenizer
) -> list[messages.Alternative]:
    texts = tokenizer.pieces([token for token, _ in likeliest])
    return [
        messages.Alternative(token=Token(id=token, text=text), probability=math.exp(logarithm))
        for (token, logarithm), text in zip(likeliest, texts, strict=True)
    ]
