"""How much one caller may ask of the API, so that a script that runs away slows down itself alone.

The limits are far above what hands do and what a page asks for when it opens. A caller is an
address and what it calls itself: on one machine all have one address, and the browser shall not
wait for the script beside it. Whoever changes its name to get around this is trusted with worse.
"""

import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Scope

from lab.errors import Code, LabError
from lab.v1 import error_pb2
from services.gateway.pace import Clock, Pace
from services.gateway.places import SAFE_METHODS

BURST_SECS: Final = 10.0  # so many seconds' worth may come at once
MAX_CALLERS: Final = 1_000  # of whom something is remembered
_NAME_LETTERS: Final = 80
# Probes must get their answer, or a busy gateway would be taken for a dead one.
_UNLIMITED: Final = ("/api/health",)


@dataclass(frozen=True)
class Limits:
    """Requests per second, by each caller."""

    reads_per_sec: float = 100.0
    writes_per_sec: float = 20.0


class Rates:
    """Remembers how fast each caller asks."""

    def __init__(self, limits: Limits, *, clock: Clock = time.monotonic) -> None:
        self._limits, self._clock = limits, clock
        self._paces: OrderedDict[tuple[str, bool], Pace] = OrderedDict()

    def refusal(self, scope: Scope) -> LabError | None:
        """Why this request has to wait, if it has to."""
        path = scope["path"]
        if scope["type"] != "http" or not path.startswith("/api/") or path in _UNLIMITED:
            return None
        writes = _writes(scope["method"], path)
        pace = self._pace(_caller(scope), writes)
        if pace.allows():
            return None
        per_sec = self._per_sec(writes)
        wait_secs = max(1, math.ceil(pace.secs_until_next()))
        what = "changes" if writes else "questions"
        return LabError(
            f"too many {what}: one caller may make {per_sec:g} a second, and "
            f"{_burst(per_sec):g} at once; go on in {wait_secs} s",
            code=Code.RESOURCE_EXHAUSTED,
            reason=error_pb2.ERROR_REASON_OVER_LIMIT,
            metadata={
                "limit": f"{per_sec:g}",
                "unit": f"{what} per second",
                "retry_after_secs": str(wait_secs),
            },
        )

    def _pace(self, caller: str, writes: bool) -> Pace:
        pace = self._paces.pop((caller, writes), None)
        if pace is None:
            self._make_room()
            per_sec = self._per_sec(writes)
            pace = Pace(per_sec=per_sec, burst=_burst(per_sec), clock=self._clock)
        self._paces[caller, writes] = pace  # who asked last comes last
        return pace

    def _make_room(self) -> None:
        while self._paces and (
            len(self._paces) >= MAX_CALLERS or next(iter(self._paces.values())).rested
        ):
            self._paces.popitem(last=False)

    def _per_sec(self, writes: bool) -> float:
        return self._limits.writes_per_sec if writes else self._limits.reads_per_sec


def _burst(per_sec: float) -> float:
    return max(1.0, per_sec * BURST_SECS)


def _writes(method: str, path: str) -> bool:
    """What is asked of a model is a question, although its text comes in a body."""
    return method not in SAFE_METHODS and not path.startswith("/api/models")


def _caller(scope: Scope) -> str:
    client = scope.get("client")
    name = Headers(scope=scope).get("user-agent", "")[:_NAME_LETTERS]
    return f"{client[0] if client else ''} {name}"
