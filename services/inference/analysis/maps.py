"""The question of attention maps: of many shapes, and the one whose answer can be too large."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch

from lab.analysis import attention as maps
from lab.errors import InvalidArgument
from lab.model import GPTModel
from lab.v1 import analysis_service_pb2 as messages
from lab.v1 import tensor_pb2
from lab.v1.tensor_pb2 import Dtype
from services.inference.analysis.asked import Array, Arrays, Asked
from services.inference.analysis.encoding import chosen, matrix_bytes
from services.inference.analysis.quotas import at_most, check_answer, check_work, picked

MAX_THUMBNAIL = 64
_KINDS = {
    messages.ATTENTION_KIND_UNSPECIFIED: maps.Kind.WEIGHTS,
    messages.ATTENTION_KIND_WEIGHTS: maps.Kind.WEIGHTS,
    messages.ATTENTION_KIND_MEAN: maps.Kind.MEAN,
    messages.ATTENTION_KIND_ROLLOUT: maps.Kind.ROLLOUT,
    messages.ATTENTION_KIND_VALUE_WEIGHTED: maps.Kind.VALUE_WEIGHTED,
}


@dataclass(frozen=True)
class _Maps:
    """What an AttentionQuestion asks for, of one model."""

    layers: list[int]
    heads: list[int]
    kind: maps.Kind
    dtype: Dtype.ValueType

    @classmethod
    def of(cls, model: GPTModel, question: messages.AttentionQuestion) -> _Maps:
        if question.kind not in _KINDS:
            raise InvalidArgument.field("attention.kind", "is not a kind that is known")
        return cls(
            layers=picked("attention.layers", question.layers, count=model.config.layers),
            heads=picked("attention.heads", question.heads, count=model.config.heads),
            kind=_KINDS[question.kind],
            dtype=chosen(
                question.dtype,
                among=(tensor_pb2.DTYPE_UINT8_SQRT_TRIANGLE, tensor_pb2.DTYPE_FLOAT32),
                otherwise=tensor_pb2.DTYPE_UINT8_SQRT_TRIANGLE,
            ),
        )

    @property
    def count(self) -> int:
        single = self.kind in (maps.Kind.MEAN, maps.Kind.ROLLOUT)
        return len(self.layers) * (1 if single else len(self.heads))


def check_attention(asked: Asked) -> None:
    question: messages.AttentionQuestion = asked.question
    at_most("attention.thumbnail", question.thumbnail, limit=MAX_THUMBNAIL, otherwise=0)
    picked("attention.rows", question.rows, count=len(asked.ids))
    for model in asked.models:
        wanted = _Maps.of(model, question)
        layers = max(wanted.layers) + 1 if wanted.kind is maps.Kind.ROLLOUT else len(wanted.layers)
        check_work(tokens=len(asked.ids), maps=layers * model.config.heads * len(asked.models))
        size = partial(_maps_bytes, wanted=wanted, question=question, models=len(asked.models))
        check_answer(
            size,
            tokens=len(asked.ids),
            what=f"{wanted.count} attention maps",
            remedy="ask for one layer, for thumbnails or for rows",
        )


def _maps_bytes(
    tokens: int, *, wanted: _Maps, question: messages.AttentionQuestion, models: int
) -> int:
    """What the maps take in the answer."""
    thumbnail = min(question.thumbnail, tokens) ** 2
    rows = len(set(question.rows)) * tokens * 4
    whole = 0 if thumbnail or rows else matrix_bytes(tokens, wanted.dtype)
    return models * wanted.count * (thumbnail + rows + whole)


def attention_arrays(model: GPTModel, asked: Asked) -> Arrays:
    question: messages.AttentionQuestion = asked.question
    found = _all_maps(model, asked)
    arrays: dict[str, Array] = {}
    if question.thumbnail:
        small = maps.thumbnails(found, size=question.thumbnail)
        arrays["thumbnails"] = Array(small, tensor_pb2.DTYPE_UINT8_SQRT)
    if question.rows:
        arrays["rows"] = Array(found[:, :, list(dict.fromkeys(question.rows))])
    if not arrays:
        arrays["weights"] = Array(found, _Maps.of(model, question).dtype)
    return arrays


def _all_maps(model: GPTModel, asked: Asked) -> torch.Tensor:
    wanted = _Maps.of(model, asked.question)
    return maps.attention(
        model,
        asked.ids,
        layers=wanted.layers,
        heads=wanted.heads,
        kind=wanted.kind,
        sink_hidden=asked.question.hide_sink,
        walked=asked.walk(model, maps.layers_read(wanted.layers, wanted.kind)),
    )


def compare_attention(asked: Asked) -> Arrays:
    one, other = (_all_maps(model, asked) for model in asked.models)
    return {"js": Array(maps.row_divergence(one, other))} if one.shape == other.shape else {}
