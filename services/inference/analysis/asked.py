"""What a question and its answer are made of, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch

from lab.model import GPTModel
from lab.v1.tensor_pb2 import Dtype


@dataclass(frozen=True)
class Array:
    """One array of an answer; without a dtype as exact as it is."""

    values: torch.Tensor
    dtype: Dtype.ValueType | None = None


@dataclass(frozen=True)
class Asked:
    """One question about one or two models and a text, checked."""

    models: Sequence[GPTModel]
    ids: Sequence[int]
    question: Any


Arrays = Mapping[str, Array]


@dataclass(frozen=True)
class Kind:
    """How one kind of question is checked and answered."""

    check: Callable[[Asked], None]
    answer: Callable[[GPTModel, Asked], Arrays]
    compare: Callable[[Asked], Arrays] = lambda _: {}
    needs_text: bool = True
    words: Sequence[str] = ()  # arrays that hold token ids


def plain(result: Any) -> Arrays:
    """The tensors of a frozen dataclass by their names."""
    named = {field.name: getattr(result, field.name) for field in fields(result)}
    return {name: Array(value) for name, value in named.items() if isinstance(value, torch.Tensor)}
