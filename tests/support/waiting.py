"""Waiting for a condition with a deadline; tests never sleep for a guessed time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def until(
    condition: Callable[[], Awaitable[T | None]], *, secs: float = 10.0, what: str = ""
) -> T: ...
@overload
async def until(condition: Callable[[], T | None], *, secs: float = 10.0, what: str = "") -> T: ...
async def until(condition: Callable[[], Any], *, secs: float = 10.0, what: str = "") -> Any:
    """The first true answer of `condition`; fails after `secs`."""
    deadline = time.monotonic() + secs
    while True:
        answer: Any = condition()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen within {secs} s: {what or condition}")
        await asyncio.sleep(0.01)
