"""The one thread that writes: group commit over all database files of the trainer.

Whatever was queued while the last commit was syncing goes into the next one, so a busy run costs
one sync per group and an idle one no delay. A full or failing disk holds everything back in memory
and in order; it is tried again until it works.

Every transaction locks its file and then looks whether the folder is still ours (see claim).
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw
import structlog

from lab.errors import Unavailable
from services.trainer.journal.claim import Claim, Superseded

RETRY_SECS: Final = 1.0
OPEN_FILES: Final = 32
# SQLite before this can damage a WAL database under two connections.
SQLITE_FLOOR: Final = (3, 51, 3)

# What gets better when the disk does. Anything else is our mistake.
DISK_TROUBLE: Final = (
    apsw.FullError,
    apsw.IOError,
    apsw.CantOpenError,
    apsw.ReadOnlyError,
    apsw.BusyError,
)

Work = Callable[[apsw.Connection], None]

log = structlog.get_logger()


def connect(path: Path, schema: str) -> apsw.Connection:
    """A connection that writes; every commit is on disk when it returns."""
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(5_000)
    connection.transaction_mode = "IMMEDIATE"  # locked before it is looked whose it is
    connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
    connection.execute(schema)
    return connection


def check_sqlite() -> None:
    """Raises Unavailable when the SQLite that apsw carries is too old to be trusted."""
    version = apsw.sqlite_lib_version()
    if tuple(int(part) for part in version.split(".")) < SQLITE_FLOOR:
        floor = ".".join(map(str, SQLITE_FLOOR))
        raise Unavailable(f"SQLite {version} can damage databases; install apsw {floor} or newer")


@dataclass(frozen=True)
class _Job:
    path: Path
    schema: str
    work: Work | None  # None closes the file
    done: Callable[[], None]


class Writer:
    """Jobs are queued from the event loop's thread; `done` is called there after the commit.

    Jobs of one file keep their order, and within one group the file named `first` is committed
    before all others. That file also holds the claim on the folder, taken before the first job.
    """

    def __init__(self, *, first: Path, failed: Callable[[BaseException], None]) -> None:
        self._first = first
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._open: dict[Path, apsw.Connection] = {}
        self._claim = Claim(first)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal writer", daemon=True)
        self.trouble: str | None = None
        self.commits = 0

    def start(self) -> None:
        self._thread.start()

    def write(
        self, path: Path, schema: str, work: Work, *, done: Callable[[], None] = lambda: None
    ) -> None:
        self._jobs.put(_Job(path, schema, work, done))

    def close_file(self, path: Path, *, done: Callable[[], None]) -> None:
        """Closes the file after everything queued for it is written."""
        self._jobs.put(_Job(path, "", None, done))

    async def stop(self) -> None:
        """Writes what is queued and ends; on a failing disk it gives up after one more try."""
        self._stopping.set()
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        try:
            while True:
                group = self._next_group()
                self._commit_group([job for job in group if job is not None])
                if None in group:
                    return
        except BaseException as error:
            if isinstance(error, Superseded):
                log.error("superseded", reason=str(error))
            else:
                log.exception("the journal writer died")
            self._call(lambda error=error: self._failed(error))  # type: ignore[misc]
        finally:
            for connection in self._open.values():
                connection.close()
            self._claim.close()

    def _next_group(self) -> list[_Job | None]:
        group = [self._jobs.get()]
        while not self._jobs.empty():
            group.append(self._jobs.get())
        return group

    def _commit_group(self, group: list[_Job]) -> None:
        files: dict[Path, list[_Job]] = {}
        for job in group:
            files.setdefault(job.path, []).append(job)
        for path in sorted(files, key=lambda path: path != self._first):
            self._commit_file(path, files[path])

    def _commit_file(self, path: Path, jobs: list[_Job]) -> None:
        """Every job up to a closing one goes into one transaction."""
        while jobs:
            ends = [index for index, job in enumerate(jobs) if job.work is None]
            part = jobs[: ends[0]] if ends else jobs
            if part:
                self._commit_until_it_works(path, part)
            if ends and (connection := self._open.pop(path, None)):
                connection.close()
            done = jobs[: ends[0] + 1] if ends else jobs
            jobs = jobs[len(done) :]
            self._call(lambda done=done: [job.done() for job in done])  # type: ignore[misc]

    def _commit_until_it_works(self, path: Path, jobs: list[_Job]) -> None:
        while True:
            try:
                self._claim.hold()
                connection = self._connection(path, jobs[0].schema)
                with connection:
                    self._claim.check()
                    for job in jobs:
                        assert job.work is not None
                        job.work(connection)
                self.commits += 1
                if self.trouble:
                    log.info("the journal can be written again", file=path.name)
                    self.trouble = None
                return
            except DISK_TROUBLE as error:
                self.trouble = f"the journal cannot be written: {error}"
                log.error("the journal cannot be written; trying again", error=str(error))
                if broken := self._open.pop(path, None):
                    broken.close()
                self._claim.close()
                if self._stopping.is_set():
                    raise
                time.sleep(RETRY_SECS)

    def _connection(self, path: Path, schema: str) -> apsw.Connection:
        connection = self._open.pop(path, None)
        if connection is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = connect(path, schema)
            if len(self._open) >= OPEN_FILES:
                self._open.pop(next(iter(self._open))).close()
        self._open[path] = connection  # the most recently used comes last
        return connection

    def _call(self, function: Callable[[], object]) -> None:
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:  # the loop is gone, and with it whoever waited
            log.debug("nobody waits for this commit any more")
