"""Texts being written: kept here while they grow and a minute longer, then forgotten.

A generation belongs to the gateway, not to the browser that asked: a reload finds it again. Only a
cancel, its own end or the end of the gateway stops it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lab.errors import Code, LabError, NotFound
from lab.names import new_id
from lab.v1 import error_pb2
from lab.v1.inference_service_pb2 import FinishReason, GenerateRequest, GenerateResponse
from lab.v1.live_pb2 import Generation, Publication
from services.gateway.api.problems import problem_of
from services.gateway.upstream import Upstream, request_id, request_metadata

# Of all browsers together; the inference service has a queue of its own.
MAX_RUNNING = 32
KEPT_SECS = 60.0
MAX_KEPT = 64
# How long a POST waits to see whether the request is refused. A slow model is not.
FIRST_TOKEN_SECS = 2.0
DEADLINE_SECS = 600.0

Watcher = Callable[[Publication], None]


@dataclass
class Text:
    """One generation: what was asked, what came so far, who watches."""

    name: str
    request: GenerateRequest
    tokens: list[GenerateResponse] = field(default_factory=list)
    problem: error_pb2.Problem | None = None
    ended_at: float | None = None
    watchers: list[Watcher] = field(default_factory=list)
    first: asyncio.Event = field(default_factory=asyncio.Event)
    error: LabError | None = None

    @property
    def finish_reason(self) -> FinishReason.ValueType:
        if not self.tokens:
            return FinishReason.FINISH_REASON_UNSPECIFIED
        return self.tokens[-1].finish_reason

    @property
    def last_offset(self) -> int:
        return len(self.tokens) + (self.problem is not None)

    def message(self) -> Generation:
        return Generation(
            name=self.name,
            request=self.request,
            tokens=self.tokens,
            finish_reason=self.finish_reason,
            problem=self.problem,
        )

    def publications(self, *, after: int) -> list[Publication]:
        """Everything that happened after an offset."""
        found = [
            Publication(offset=index + 1, token=token)
            for index, token in enumerate(self.tokens)
            if index + 1 > after
        ]
        if self.problem is not None and self.last_offset > after:
            found.append(Publication(offset=self.last_offset, problem=self.problem))
        return found


class Generations:
    """Starts, keeps and cancels them."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._texts: dict[str, Text] = {}
        self._running: dict[str, asyncio.Task[None]] = {}

    async def start(self, request: GenerateRequest) -> Text:
        """Raises what inference raises when it refuses; answers after the first token otherwise."""
        self._forget()
        if len(self._running) >= MAX_RUNNING:
            raise LabError(
                f"{MAX_RUNNING} generations are running, which is the limit; cancel one or wait",
                code=Code.RESOURCE_EXHAUSTED,
                reason=error_pb2.ERROR_REASON_OVER_LIMIT,
                metadata={"limit": str(MAX_RUNNING), "requested": str(len(self._running) + 1)},
            )
        text = self.keep(f"generations/{new_id('g')}", request)
        task = asyncio.create_task(self._write(text), name=text.name)
        self._running[text.name] = task
        task.add_done_callback(lambda _: self._running.pop(text.name, None))
        try:
            async with asyncio.timeout(FIRST_TOKEN_SECS):
                await text.first.wait()
        except TimeoutError:
            return text
        if text.error is not None and not text.tokens:
            del self._texts[text.name]
            raise text.error
        return text

    def keep(self, name: str, request: GenerateRequest) -> Text:
        """A text nobody writes yet, found by its name from now on."""
        self._texts[name] = Text(name=name, request=request)
        return self._texts[name]

    def add(self, text: Text, token: GenerateResponse) -> None:
        """The next token; told to everyone who watches."""
        text.tokens.append(token)
        _tell(text, Publication(offset=len(text.tokens), token=token))
        text.first.set()

    def find(self, name: str) -> Text:
        self._forget()
        if name not in self._texts:
            raise NotFound(
                f"{name} is not here: it never was, or it ended more than {KEPT_SECS:.0f} s ago"
            )
        return self._texts[name]

    async def cancel(self, name: str) -> Text:
        """Stops the writing; what was written stays for a minute. Cancelling twice is no error."""
        text = self.find(name)
        task = self._running.get(name)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        return text

    async def stop(self) -> None:
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _write(self, text: Text) -> None:
        try:
            calls = self._upstream.inference.Generate(
                text.request, timeout=DEADLINE_SECS, metadata=request_metadata()
            )
            async for token in calls:
                self.add(text, token)
            if not text.finish_reason:
                raise LabError("the inference service ended the text without saying why")
        except asyncio.CancelledError:
            self.add(
                text,
                GenerateResponse(
                    index=len(text.tokens),
                    finish_reason=FinishReason.FINISH_REASON_CANCELLED,
                ),
            )
        except LabError as error:
            text.error = error
            text.problem = problem_of(error, instance=f"/api/{text.name}", request_id=request_id())
            _tell(text, Publication(offset=text.last_offset, problem=text.problem))
        finally:
            text.ended_at = time.monotonic()
            text.first.set()

    def _forget(self) -> None:
        """Lets go of what ended long ago, and of the oldest ended ones when there are too many."""
        now = time.monotonic()
        ended = [text for text in self._texts.values() if text.ended_at is not None]
        for place, text in enumerate(ended):
            assert text.ended_at is not None
            if now - text.ended_at > KEPT_SECS or len(ended) - place > MAX_KEPT:
                del self._texts[text.name]


def _tell(text: Text, publication: Publication) -> None:
    for watch in list(text.watchers):
        watch(publication)
