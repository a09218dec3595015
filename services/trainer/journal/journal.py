"""The journal: numbers every fact, commits it, and only then lets anyone see it.

The asyncio face of the writer and of the runs' files. Sequences count up by one per run without a
gap; whoever reads a fact, over NATS or by WatchRun, reads one that no crash can take back.
"""

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import apsw

from lab import names
from lab.errors import NotFound
from lab.v1.event_pb2 import Event
from services.trainer.journal import journal_file, journal_tables
from services.trainer.journal.writer import Writer

PRODUCER: Final = "trainer"
ROOM: Final = 5_000  # facts that may wait for the disk before workers have to
MARK_SECS: Final = 1.0  # how often the published mark is written at most

T = TypeVar("T")


@dataclass
class _Book:
    """What is known of one run's file without reading it."""

    path: Path
    first_sequence: int
    next_sequence: int
    committed: int
    published: int
    marked: int
    waiting: list[asyncio.Future[None]] = field(default_factory=list)


class Journal:
    """`committed` is called on the loop with facts that are on disk, in order."""

    def __init__(
        self, folder: Path, writer: Writer, *, committed: Callable[[Sequence[Event]], None]
    ) -> None:
        self._folder = folder
        self._writer = writer
        self._committed = committed
        self._books: dict[str, _Book] = {}
        self._unwritten = 0
        self._room = asyncio.Event()
        self._room.set()
        self._mark_timer: asyncio.TimerHandle | None = None

    def path(self, run_id: str) -> Path:
        return self._folder / run_id / "journal.db"

    def begin(self, run_id: str, *, after_sequence: int = 0) -> None:
        """A new run. One that takes the name of a deleted run goes on counting after it."""
        first = after_sequence + 1
        self._books[run_id] = _Book(
            self.path(run_id), first, first, after_sequence, after_sequence, after_sequence
        )

    async def open(self, run_id: str) -> tuple[Event | None, int]:
        """Takes up a run after a restart: its newest state fact, and how far it was published.

        The file is locked once before it is read, at rest or not. A trainer that was only suspended
        may be in the middle of a transaction; after that it adds nothing, because the folder is
        ours. A lock that writes nothing costs no sync. Before that it is looked whether the file
        can be read at all, because one that cannot would end the thread that writes for all runs;
        raises Damaged.
        """
        path = self.path(run_id)
        if path.exists():
            await asyncio.to_thread(journal_file.check, path)
            locked = asyncio.get_running_loop().create_future()
            self._writer.write(
                path, journal_tables.SCHEMA, lambda _: None, done=partial(_wake, locked)
            )
            await locked

        def look() -> tuple[int, int, list[Event]]:
            if not path.exists():  # the trainer died between the run's record and its first fact
                return 0, 0, []
            with journal_file.reading(path) as connection:
                return (
                    journal_file.last_sequence(connection),
                    journal_file.published_sequence(connection),
                    journal_file.newest_facts(connection, ["run_state_changed"], 1),
                )

        last, published, states = await asyncio.to_thread(look)
        self._books[run_id] = _Book(path, 1, last + 1, last, published, published)
        return (states[0] if states else None), published

    async def set_aside(self, run_id: str) -> Path:
        """A new journal for a run whose file cannot be read; says where the old one is kept. How
        far its numbers had come is not known, so the new ones begin where none has been: a number
        per second since 1970 is more than any run has facts."""
        kept = self.path(run_id).with_name(f"damaged-{time.time_ns()}.db")

        def move() -> None:
            for end in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    Path(f"{self.path(run_id)}{end}").rename(f"{kept}{end}")

        await asyncio.to_thread(move)
        self.begin(run_id, after_sequence=int(time.time()))
        return kept

    def append(self, run_id: str, event: Event) -> int:
        """Numbers the fact and queues it for the disk; answers its sequence."""
        book = self._book(run_id)
        event.run = names.run_name(run_id)
        event.sequence = book.next_sequence
        event.producer = PRODUCER
        event.time.GetCurrentTime()
        book.next_sequence += 1
        kept = journal_tables.take_out(event)
        self._unwritten += 1
        if self._unwritten >= ROOM:
            self._room.clear()
        self._writer.write(
            book.path,
            journal_tables.SCHEMA,
            partial(_put, event=event, body=event.SerializeToString(), kept=kept),
            done=partial(self._written, book, event),
        )
        return event.sequence

    async def room(self) -> None:
        """Waits while too many facts wait for the disk: a full disk halts training, not us."""
        await self._room.wait()

    async def committed(self, run_id: str, sequence: int) -> None:
        """Returns when the fact of that sequence is on disk; raises NotFound once it is removed."""
        while self._book(run_id).committed < sequence:
            waiter = asyncio.get_running_loop().create_future()
            self._book(run_id).waiting.append(waiter)
            await waiter

    def last_sequence(self, run_id: str) -> int:
        return self._book(run_id).next_sequence - 1

    def published(self, events: Sequence[Event]) -> None:
        """JetStream has acknowledged these facts."""
        for event in events:
            book = self._books.get(names.run_id(event.run))
            if book is not None:
                book.published = max(book.published, event.sequence)
        if self._mark_timer is None:
            loop = asyncio.get_running_loop()
            self._mark_timer = loop.call_later(MARK_SECS, self.write_marks)

    def write_marks(self) -> None:
        """Writes how far each run was published. Late marks only cost repeats after a crash."""
        if self._mark_timer is not None:
            self._mark_timer.cancel()
            self._mark_timer = None
        for book in self._books.values():
            if book.published > book.marked:
                book.marked = book.published
                self._writer.write(
                    book.path, journal_tables.SCHEMA, partial(_mark, sequence=book.published)
                )

    async def read(self, run_id: str, query: Callable[[apsw.Connection], T]) -> T:
        """Runs a query in a thread, on a consistent view of the run's file."""
        book = self._book(run_id)
        path = book.path
        await self.committed(run_id, book.first_sequence)  # before that there is no file

        def work() -> T:
            with journal_file.reading(path) as connection:
                return query(connection)

        try:
            return await asyncio.to_thread(work)
        except apsw.CantOpenError:
            raise _unknown(run_id) from None

    async def facts_after(self, run_id: str, sequence: int, limit: int) -> list[Event]:
        return await self.read(run_id, lambda file: journal_file.facts_after(file, sequence, limit))

    async def remove(self, run_id: str) -> None:
        """Removes the run's file, after everything queued for it was written."""
        book = self._books.pop(run_id)
        for waiter in book.waiting:
            _wake(waiter)
        closed = asyncio.get_running_loop().create_future()
        self._writer.close_file(book.path, done=partial(_wake, closed))
        await closed
        await asyncio.to_thread(shutil.rmtree, book.path.parent, ignore_errors=True)

    def _book(self, run_id: str) -> _Book:
        if run_id not in self._books:
            raise _unknown(run_id)
        return self._books[run_id]

    def _written(self, book: _Book, event: Event) -> None:
        self._unwritten -= 1
        if self._unwritten < ROOM // 2:
            self._room.set()
        book.committed = event.sequence
        waiting, book.waiting = book.waiting, []
        for waiter in waiting:
            _wake(waiter)
        self._committed([event])


def _put(
    connection: apsw.Connection, *, event: Event, body: bytes, kept: journal_tables.Kept
) -> None:
    journal_tables.put(connection, event, body, kept=kept)


def _mark(connection: apsw.Connection, *, sequence: int) -> None:
    journal_tables.put_published(connection, sequence)


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)


def _unknown(run_id: str) -> NotFound:
    return NotFound(f"there is no run called {run_id}; see the list of runs")
