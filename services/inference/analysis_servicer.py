"""AnalysisService: translates between the wire and pure functions of (model, text, options)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from lab.errors import InvalidArgument, OverLimit
from lab.v1 import analysis_service_pb2 as messages
from lab.v1 import analysis_service_pb2_grpc as services
from lab.v1.tensor_pb2 import DTYPE_FLOAT32, Dtype
from services.inference.analysis.attention import attention
from services.inference.analysis.encoding import bytes_per_number, chosen, encode
from services.inference.analysis.turns import Turns
from services.inference.models.registry import Registry
from services.inference.words import Words

MAX_ANSWER_BYTES = 3 << 20  # below gRPC's default of 4 MiB a message


class AnalysisServicer(services.AnalysisServiceServicer):
    def __init__(self, registry: Registry, words: Words, turns: Turns) -> None:
        self._registry = registry
        self._words = words
        self._turns = turns

    async def GetAttention(
        self, request: messages.GetAttentionRequest, context: Any
    ) -> messages.GetAttentionResponse:
        model = self._registry.get(request.model).network
        layers = _picked("layers", request.layers, count=model.config.layers)
        heads = _picked("heads", request.heads, count=model.config.heads)
        dtype = chosen(request.dtype)
        ids = await self._words.prompt(request.text, field="text", context=model.config.context)
        _check_size(tokens=len(ids), maps=len(layers) * len(heads), dtype=dtype)
        weights = await self._turns.run(
            lambda: encode(attention(model, ids, layers=layers, heads=heads), dtype)
        )
        return messages.GetAttentionResponse(
            tokens=await self._words.tokens(ids), layers=layers, heads=heads, weights=weights
        )


def _picked(field: str, wanted: Sequence[int], *, count: int) -> list[int]:
    """The layers or heads asked for, each once, in order; all when none is named."""
    if not wanted:
        return list(range(count))
    if outside := [index for index in wanted if index >= count]:
        raise InvalidArgument.field(
            field, f"must be 0 to {count - 1} in this model, but one is {outside[0]}"
        )
    return list(dict.fromkeys(wanted))


def _check_size(*, tokens: int, maps: int, dtype: Dtype.ValueType) -> None:
    """Refuses an answer that is too large, before anything is computed for it."""
    size = bytes_per_number(dtype)
    requested = maps * tokens * tokens * size
    if requested <= MAX_ANSWER_BYTES:
        return
    largest = math.isqrt(MAX_ANSWER_BYTES // (maps * size))
    remedy = "ask for one layer"
    if dtype == DTYPE_FLOAT32:
        remedy += " or for DTYPE_UINT8_SQRT"
    raise OverLimit(
        f"{maps} attention maps of {tokens} tokens are {requested} bytes; an answer has at most "
        f"{MAX_ANSWER_BYTES}, which is {largest} tokens here: shorten the text, {remedy}",
        metadata={
            "limit": str(MAX_ANSWER_BYTES),
            "requested": str(requested),
            "largest_tokens": str(largest),
        },
    )
