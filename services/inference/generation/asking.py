"""A request's options with defaults filled in, or the reason why they cannot be accepted."""

import math
import secrets
from dataclasses import dataclass
from typing import Literal

from lab.errors import InvalidArgument, OverLimit, Violation
from lab.v1.inference_service_pb2 import GenerateRequest
from services.inference.generation.options import Options

MAX_TOKENS = 512
MAX_ALTERNATIVES = 20
MAX_STOPS, MAX_STOP_BYTES = 8, 256
DEFAULT_TOKENS, DEFAULT_TEMPERATURE, DEFAULT_TOP_K, DEFAULT_ALTERNATIVES = 64, 0.8, 40, 5


@dataclass(frozen=True)
class _Limits:
    field: str
    least: float
    most: float
    usual: str


_TEMPERATURE = _Limits("temperature", 0, 100, "0.8 is usual")
_TOP_P = _Limits("top_p", 1e-6, 1, "0.9 is usual, 1 leaves all open")
_MIN_P = _Limits("min_p", 0, 1, "0.05 is usual, 0 leaves all open")
_REPETITION = _Limits("repetition_penalty", 0.01, 10, "1.1 is usual, 1 changes nothing")
_PRESENCE = _Limits("presence_penalty", -10, 10, "0.5 is usual, 0 changes nothing")
_FREQUENCY = _Limits("frequency_penalty", -10, 10, "0.5 is usual, 0 changes nothing")


def options_of(request: GenerateRequest, *, end_of_text: int) -> Options:
    """Raises InvalidArgument or OverLimit naming the field, its limit and what is usual."""
    _check_stops(request)
    most_alternatives = (
        request.alternatives if request.HasField("alternatives") else DEFAULT_ALTERNATIVES
    )
    temperature = _given(request, "temperature", DEFAULT_TEMPERATURE)
    repetition = _given(request, "repetition_penalty", 1.0)
    return Options(
        max_tokens=_at_most("max_tokens", request.max_tokens or DEFAULT_TOKENS, MAX_TOKENS),
        temperature=_within(temperature, _TEMPERATURE),
        top_k=request.top_k if request.HasField("top_k") else DEFAULT_TOP_K,
        top_p=_within(_given(request, "top_p", 1.0), _TOP_P),
        min_p=_within(_given(request, "min_p", 0.0), _MIN_P),
        repetition_penalty=_within(repetition, _REPETITION),
        presence_penalty=_within(request.presence_penalty, _PRESENCE),
        frequency_penalty=_within(request.frequency_penalty, _FREQUENCY),
        penalty_window=request.penalty_window,
        seed=request.seed if request.HasField("seed") else secrets.randbits(63),
        alternatives=_at_most("alternatives", most_alternatives, MAX_ALTERNATIVES),
        end_of_text=end_of_text,
    )


_Optional = Literal["temperature", "top_p", "min_p", "repetition_penalty"]


def _given(request: GenerateRequest, field: _Optional, otherwise: float) -> float:
    return float(getattr(request, field)) if request.HasField(field) else otherwise


def _at_most(field: str, value: int, limit: int) -> int:
    if value > limit:
        raise OverLimit(
            f"{field}: is {value}; at most {limit} tokens are given at a time",
            metadata={"limit": str(limit), "requested": str(value)},
            violations=[Violation(field, f"must be at most {limit}")],
        )
    return value


def _within(value: float, limits: _Limits) -> float:
    if math.isfinite(value) and limits.least <= value <= limits.most:
        return value
    raise InvalidArgument.field(
        limits.field,
        f"must be a number from {limits.least:g} to {limits.most:g}; {limits.usual}",
    )


def _check_stops(request: GenerateRequest) -> None:
    if len(request.stop) > MAX_STOPS:
        raise InvalidArgument.field(
            "stop", f"must be at most {MAX_STOPS} texts, but {len(request.stop)} are given"
        )
    for stop in request.stop:
        if not 0 < len(stop.encode()) <= MAX_STOP_BYTES:
            raise InvalidArgument.field(
                "stop", f"must each be 1 to {MAX_STOP_BYTES} bytes, but one is {len(stop.encode())}"
            )
