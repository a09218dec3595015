"""AnalysisService: translates between the wire and pure functions of (model, text, options)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from lab.analysis.attention import attention
from lab.errors import InvalidArgument
from lab.text import Tokenizer
from lab.v1 import analysis_service_pb2 as messages
from lab.v1 import analysis_service_pb2_grpc as services
from lab.v1 import tensor_pb2
from lab.v1.tensor_pb2 import NamedTensor
from services.inference.analysis.answers import KINDS
from services.inference.analysis.asked import Array, Arrays, Asked, Kind
from services.inference.analysis.encoding import chosen, encode, matrix_bytes
from services.inference.analysis.kept import Kept, key_of
from services.inference.analysis.quotas import check_answer, check_work, picked
from services.inference.analysis.turns import Turns
from services.inference.analysis.walks import Walks
from services.inference.models.registry import Model, Registry
from services.inference.words import Words

_WHOLE_MAPS = (tensor_pb2.DTYPE_FLOAT32, tensor_pb2.DTYPE_UINT8_SQRT)


class AnalysisServicer(services.AnalysisServiceServicer):
    def __init__(
        self, registry: Registry, words: Words, turns: Turns, *, kept: Kept, walks: Walks
    ) -> None:
        self._registry = registry
        self._words = words
        self._turns = turns
        self._kept = kept
        self._walks = walks

    async def GetAttention(
        self, request: messages.GetAttentionRequest, context: Any
    ) -> messages.GetAttentionResponse:
        model = self._registry.get(request.model).network
        layers = picked("layers", request.layers, count=model.config.layers)
        heads = picked("heads", request.heads, count=model.config.heads)
        dtype = chosen(request.dtype, among=_WHOLE_MAPS, otherwise=tensor_pb2.DTYPE_FLOAT32)
        ids = await self._words.prompt(request.text, field="text", context=model.config.context)
        check_answer(
            lambda n: len(layers) * len(heads) * matrix_bytes(n, dtype),
            tokens=len(ids),
            what=f"{len(layers) * len(heads)} attention maps",
            remedy="ask for one layer or for DTYPE_UINT8_SQRT",
        )
        check_work(tokens=len(ids), maps=len(layers) * model.config.heads)
        weights = await self._turns.run(
            lambda _: encode(attention(model, ids, layers=layers, heads=heads), dtype)
        )
        return messages.GetAttentionResponse(
            tokens=await self._words.tokens(ids), layers=layers, heads=heads, weights=weights
        )

    async def Analyse(
        self, request: messages.AnalyseRequest, context: Any
    ) -> messages.AnalyseResponse:
        name = request.WhichOneof("question")
        if name is None:
            raise InvalidArgument.field("question", f"must be one of {', '.join(KINDS)}")
        kind = KINDS[name]
        models = [self._registry.get(request.model)]
        if request.other_model:
            models.append(self._registry.get(request.other_model))
        asked = Asked(
            models=[model.network for model in models],
            ids=await self._read(request, models, kind),
            question=getattr(request, name),
            walks=self._walks,
        )
        kind.check(asked)
        key = key_of([model.digest for model in models], asked.ids, request)
        answer = self._kept.find(key)
        if answer is None:
            answer = await self._turns.run(
                lambda breathe: _computed(kind, replace(asked, breathe=breathe)),
                patience_secs=kind.patience_secs,
            )
            answer.tokens.extend(await self._words.tokens(asked.ids))
            named = sorted(_named(kind, answer))
            answer.words.extend(await self._words.tokens(named))
            self._kept.keep(key, answer)
        answer.digest, answer.step = models[0].digest, models[0].step
        if request.other_model:
            answer.other_digest, answer.other_step = models[1].digest, models[1].step
        return answer

    async def _read(
        self, request: messages.AnalyseRequest, models: Sequence[Model], kind: Kind
    ) -> list[int]:
        """The tokens of the text; none where the question can do without and none was given."""
        if not kind.needs_text and not request.text and not request.token_ids:
            return []
        room = min(model.network.config.context for model in models)
        start = [Tokenizer.eot] if request.after_end_of_text else []
        ids = await self._words.given(
            *(request.text, request.token_ids),
            fields=("text", "token_ids"),
            context=room - len(start),
        )
        return [*start, *ids]


def _computed(kind: Kind, asked: Asked) -> messages.AnalyseResponse:
    """The arrays, of each model and of what lies between them."""
    began = time.perf_counter()
    found = [kind.answer(model, asked) for model in asked.models]
    answer = messages.AnalyseResponse(tensors=_encoded(found[0]))
    if len(found) == 2:
        answer.other_tensors.extend(_encoded(found[1]))
        between = {**_differences(found[0], found[1]), **kind.compare(asked)}
        answer.differences.extend(_encoded(between))
    if asked.question.DESCRIPTOR is messages.WeightQuestion.DESCRIPTOR:
        answer.rows.extend(name for name, _ in asked.models[0].named_parameters())
    answer.compute_secs = time.perf_counter() - began
    return answer


def _differences(one: Arrays, other: Arrays) -> Mapping[str, Array]:
    """Other less one, of the numbers; ids and one-byte maps have no difference."""
    return {
        name: Array(other[name].values - array.values)
        for name, array in one.items()
        if name in other
        and array.dtype is None
        and array.values.is_floating_point()
        and array.values.shape == other[name].values.shape
    }


def _encoded(arrays: Arrays) -> list[NamedTensor]:
    return [
        NamedTensor(name=name, tensor=encode(array.values, array.dtype))
        for name, array in arrays.items()
    ]


def _named(kind: Kind, answer: messages.AnalyseResponse) -> set[int]:
    """Every token id in the arrays that hold ids."""
    found: set[int] = set()
    for each in (*answer.tensors, *answer.other_tensors):
        if each.name in kind.words:
            found |= set(torch.frombuffer(bytearray(each.tensor.data), dtype=torch.int32).tolist())
    return found
