"""What a question and its answer are made of, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import torch

from lab.analysis.trace import Trace
from lab.model import GPTModel
from lab.v1.tensor_pb2 import Dtype
from services.inference.analysis.walks import Walks


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
    walks: Walks = field(default_factory=lambda: Walks(0))
    breathe: Callable[[], None] = lambda: None  # lets shorter questions go first

    def walk(self, model: GPTModel, weights_of: Collection[int] = ()) -> Trace:
        """The text on its way through one of the models."""
        return self.walks.of(model, self.ids, weights_of=weights_of)


Arrays = Mapping[str, Array]


@dataclass(frozen=True)
class Kind:
    """How one kind of question is checked and answered."""

    check: Callable[[Asked], None]
    answer: Callable[[GPTModel, Asked], Arrays]
    compare: Callable[[Asked], Arrays] = lambda _: {}
    needs_text: bool = True
    patience_secs: float = 1.0  # for so long shorter questions that came later may go first
    words: Sequence[str] = ()  # arrays that hold token ids


def plain(result: Any) -> Arrays:
    """The tensors of a frozen dataclass by their names."""
    named = {each.name: getattr(result, each.name) for each in fields(result)}
    return {name: Array(value) for name, value in named.items() if isinstance(value, torch.Tensor)}
