"""Writes many texts at once. Book: the generation loop is section 5.3.3.

One thread goes round: it takes the next token of every text that is being written (and a piece of
the prompts still unread) through the network together, draws a token for each, and begins again.
Texts join and leave between two rounds, so none waits for another to end (continuous batching; Yu
et al. 2022, "Orca"). A long prompt is read in pieces, so that it holds up the others by one piece.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence

import structlog
from torch import Tensor

from lab.errors import Code, LabError, OverLimit
from lab.v1.error_pb2 import ErrorReason
from services.inference.generation.decoder import Part, Room
from services.inference.generation.options import Drawn, Options
from services.inference.generation.prepared import Prepared
from services.inference.generation.sampler import choose

PIECE_TOKENS = 64  # of prompts, read in one round
STOPPING_SECS = 5.0

log = structlog.get_logger()


class Writing:
    """A text on its way: iterate to get its tokens, `close` to stop it. Both in the event loop."""

    def __init__(
        self, model: Prepared, prompt: Sequence[int], options: Options, leave: Callable[[], None]
    ) -> None:
        self.model, self.options = model, options
        self.asked_at = time.monotonic()
        self.taken_up_at: float | None = None
        self.unread = list(prompt)  # first the prompt, then one token at a time
        self.length = len(prompt)  # of prompt and answer
        self.room: Room | None = None
        self.closed = False
        self.left_tokens = min(options.max_tokens, model.context - len(prompt) + 1)
        self._leave = leave
        self._seen = deque(prompt, maxlen=options.penalty_window or None)
        self._loop = asyncio.get_running_loop()
        # Holds at most max_tokens, so a slow reader costs little and holds up nobody.
        self._arrived: asyncio.Queue[Drawn | Exception | None] = asyncio.Queue()

    async def __aiter__(self) -> AsyncIterator[Drawn]:
        """Ends after max_tokens, at the end of the model's context, or with the end-of-text token.

        A prompt that fills the context still gets one token: its last position predicts one,
        though there is no position left to read it at.
        """
        while (item := await self._arrived.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item

    def close(self) -> None:
        self.closed = True
        self._leave()

    @property
    def waited_secs(self) -> float:
        return (self.taken_up_at or time.monotonic()) - self.asked_at

    @property
    def seen(self) -> Counter[int]:
        """How often each token is among those that penalties look at."""
        return Counter(self._seen) if self.options.penalised else Counter()

    def take(self, drawn: Drawn) -> bool:
        """A token was drawn; whether another is wanted. Called by the writing thread, like all
        that follow."""
        self.unread = [drawn.token]
        self.length += 1
        self.left_tokens -= 1
        self._seen.append(drawn.token)
        return self.left_tokens > 0 and drawn.token != self.options.end_of_text

    def send(self, *items: Drawn | Exception | None) -> None:
        """To the reader; None is the end."""

        def arrive() -> None:
            for item in items:
                self._arrived.put_nowait(item)

        try:
            self._loop.call_soon_threadsafe(arrive)
        except RuntimeError:  # the loop is closed: nobody reads any more
            self.closed = True


class Engine:
    """At most `places` texts are written at once, `waiting` more may queue, in order of arrival.

    Who began keeps its weights to the end, whatever newer ones are loaded meanwhile.
    """

    def __init__(self, *, places: int, waiting: int, room_bytes: int) -> None:
        self._places, self._waiting_limit, self._room_bytes = places, waiting, room_bytes
        self._changed = threading.Condition()
        self._queue: deque[Writing] = deque()
        self._texts: list[Writing] = []  # those being written
        self._stopping = False
        self._thread = threading.Thread(target=self._write, name="generation", daemon=True)
        self._thread.start()

    @property
    def running(self) -> int:
        """Texts being written."""
        with self._changed:
            return len(self._texts)

    def begin(self, model: Prepared, prompt: Sequence[int], options: Options) -> Writing:
        """Raises LabError when too many wait already. Close what comes back."""
        writing = Writing(model, prompt, options, self._closed)
        with self._changed:
            here = len(self._texts) + len(self._queue)
            if here >= self._places + self._waiting_limit:
                raise LabError(
                    f"{self._places} texts are being written and {self._waiting_limit} wait, "
                    "which is the limit; wait for one to end or cancel one",
                    code=Code.RESOURCE_EXHAUSTED,
                    reason=ErrorReason.ERROR_REASON_OVER_LIMIT,
                    metadata={
                        "limit": str(self._places + self._waiting_limit),
                        "requested": str(here + 1),
                    },
                )
            self._queue.append(writing)
            self._changed.notify()
        return writing

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(STOPPING_SECS)

    def _closed(self) -> None:
        """Somebody went away: the round after this one leaves it out, and so does the queue."""
        with self._changed:
            self._queue = deque(each for each in self._queue if not each.closed)
            self._changed.notify()

    def _write(self) -> None:
        """The thread: rounds for as long as there is something to write."""
        while True:
            with self._changed:
                while not (self._stopping or self._queue or self._texts):
                    self._changed.wait()
                if self._stopping:
                    return
            self._turn()

    def _turn(self) -> None:
        """Not a part of `_write`, whose variables would hold on to a model until the next text."""
        with self._changed:
            joining = self._joining()
        for writing in joining:
            self._join(writing)
        for model in dict.fromkeys(text.model for text in self._texts):
            self._round(model)

    def _joining(self) -> list[Writing]:
        """Those whose turn it is, taken off the queue."""
        free = self._places - len(self._texts)
        joining: list[Writing] = []
        while self._queue and len(joining) < free:
            writing = self._queue.popleft()
            if not writing.closed:
                joining.append(writing)
        return joining

    def _join(self, writing: Writing) -> None:
        """Reserves room for all the text it may become, or puts it back until there is some."""
        try:
            tokens = writing.length + writing.left_tokens - 1  # the last one drawn is never read
            wanted = writing.model.decoder.room_bytes(tokens)
            held = sum(
                text.model.decoder.room_bytes(text.length + text.left_tokens - 1)
                for text in self._texts
            )
            if wanted > self._room_bytes:
                raise OverLimit(
                    f"a text of {tokens} tokens needs {wanted} bytes for its keys and values; "
                    f"{self._room_bytes} are there: shorten the prompt or ask for fewer tokens",
                    metadata={"limit": str(self._room_bytes), "requested": str(wanted)},
                )
            if held + wanted > self._room_bytes:
                with self._changed:
                    self._queue.appendleft(writing)
                return
            writing.room = writing.model.decoder.room(tokens)
            writing.taken_up_at = time.monotonic()
            with self._changed:
                self._texts.append(writing)
        except Exception as error:
            writing.send(error)

    def _leave(self, *leaving: Writing) -> None:
        with self._changed:
            self._texts = [text for text in self._texts if text not in leaving]

    def _round(self, model: Prepared) -> None:
        """One token for each text whose prompt has been read, one piece for those still reading."""
        self._leave(*(text for text in self._texts if text.closed))
        mine = [text for text in self._texts if text.model is model]
        texts, parts, drawing = [], [], []
        piece_left = PIECE_TOKENS
        for text in mine:
            assert text.room is not None
            count = 1 if len(text.unread) == 1 else min(len(text.unread), piece_left)
            if count == 0:
                continue  # its prompt waits for the next round
            piece_left -= count if len(text.unread) > 1 else 0
            texts.append(text)
            parts.append(Part(text.room, text.unread[:count]))
            text.unread = text.unread[count:]
            drawing.append(not text.unread)
        try:
            if parts:
                hidden = model.decoder.hidden(parts)  # (B, C)
                wanted = [index for index, draws in enumerate(drawing) if draws]
                if wanted:
                    chosen = hidden if len(wanted) == len(hidden) else hidden[wanted]
                    self._draw(model, [texts[index] for index in wanted], chosen)
        except Exception as error:  # whatever went wrong, the other models' texts go on
            log.exception("writing failed")
            self._leave(*mine)
            for text in mine:
                text.send(error)

    def _draw(self, model: Prepared, texts: Sequence[Writing], hidden: Tensor) -> None:
        """The next token of each text from its hidden state, (B, C)."""
        scored = model.head.score(hidden, [text.options for text in texts])
        for text, each in zip(texts, scored, strict=True):
            token = choose(each.candidates, text.options, place=text.length, seen=text.seen)
            likeliest = [
                (other, score - each.log_total)
                for other, score in each.best[: text.options.alternatives]
            ]
            drawn = Drawn(token, each.log_probability(token), likeliest)
            if text.take(drawn):
                text.send(drawn)
            else:  # its place is free before its reader can know that it has ended
                self._leave(text)
                text.send(drawn, None)
