"""Answers that were computed already, least recently used ones let go first."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

from lab.v1.analysis_service_pb2 import AnalyseRequest, AnalyseResponse


class Kept:
    """By weights, tokens and question: all that an answer depends on."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held_bytes = 0
        self._answers: OrderedDict[str, bytes] = OrderedDict()  # most recently used last

    def find(self, key: str) -> AnalyseResponse | None:
        if key not in self._answers:
            return None
        self._answers.move_to_end(key)
        answer = AnalyseResponse.FromString(self._answers[key])
        answer.cached = True
        return answer

    def keep(self, key: str, answer: AnalyseResponse) -> None:
        data = answer.SerializeToString()
        self._held_bytes += len(data) - len(self._answers.pop(key, b""))
        self._answers[key] = data
        while self._held_bytes > self._max_bytes:
            _, oldest = self._answers.popitem(last=False)
            self._held_bytes -= len(oldest)


def key_of(digests: Sequence[str], ids: Sequence[int], request: AnalyseRequest) -> str:
    """The question's own bytes, without the names of models and the text behind the tokens."""
    asked = AnalyseRequest()
    asked.CopyFrom(request)
    for field in ("model", "other_model", "text", "token_ids", "after_end_of_text"):
        asked.ClearField(field)
    question = asked.SerializeToString(deterministic=True)
    parts = [*digests, ",".join(str(token) for token in ids), question.hex()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
