"""What must outlive the trainer besides histories: runs, unfinished uploads, names once used, and
how often each run was claimed.

Read whole at boot, kept in memory by Runs, written through the one writer.
"""

import asyncio
import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Final, cast

import apsw

from lab import names
from lab.errors import Unavailable
from lab.v1.event_pb2 import Event
from lab.v1.run_pb2 import Run
from lab.v1.worker_pb2 import CheckpointStaged
from services.trainer.journal.writer import Writer, connect

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS runs (
  id TEXT PRIMARY KEY, body BLOB NOT NULL, request_id TEXT UNIQUE) STRICT;
CREATE TABLE IF NOT EXISTS uploads (
  folder TEXT PRIMARY KEY, run TEXT NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS graves (
  id TEXT PRIMARY KEY, sequence INTEGER NOT NULL, farewell BLOB) STRICT;
CREATE TABLE IF NOT EXISTS leaving (
  id TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS run_claims (
  id TEXT PRIMARY KEY, token INTEGER NOT NULL) STRICT;
"""


@dataclass(frozen=True)
class Stored:
    """Everything in the store."""

    runs: list[Run]
    requests: dict[str, str]  # request id -> run id
    uploads: list[tuple[str, CheckpointStaged]]  # run id, what its worker staged
    graves: dict[str, int]  # id of a deleted run -> its last sequence
    farewells: list[Event]  # deletions that JetStream has not acknowledged
    leaving: list[Run]  # deleted for good, but for their checkpoints


class Store:
    def __init__(self, folder: Path, writer: Writer) -> None:
        self._path = store_path(folder)
        self._writer = writer

    def save_run(self, run_id: str, run: Run, *, request_id: str = "") -> None:
        """Adds the run or replaces its record; the request id is kept from the first time."""
        body = run.SerializeToString(deterministic=True)
        self._write(
            "INSERT INTO runs VALUES (?1, ?2, nullif(?3, '')) "
            "ON CONFLICT (id) DO UPDATE SET body = ?2",
            (run_id, body, request_id),
        )

    def bury_run(self, last: Run, farewell: Event, *, done: Callable[[], None]) -> None:
        """Removes the run. Its last sequence stays known, so that a new run of the same name goes
        on counting and JetStream does not take its facts for repeats; its last record does until
        `gone`, for what it left with the checkpoint service."""
        run_id, body = names.run_id(last.name), farewell.SerializeToString()
        self._write(
            "INSERT OR REPLACE INTO leaving VALUES (?, ?)", (run_id, last.SerializeToString())
        )
        self._write("DELETE FROM runs WHERE id = ?", (run_id,))
        self._write("DELETE FROM uploads WHERE run = ?", (run_id,))
        self._write(
            "INSERT OR REPLACE INTO graves VALUES (?, ?, ?)",
            (run_id, farewell.sequence, body),
            done=done,
        )

    def farewell_published(self, run_id: str) -> None:
        self._write("UPDATE graves SET farewell = NULL WHERE id = ?", (run_id,))

    def gone(self, run_id: str) -> None:
        """Nothing is left of it anywhere."""
        self._write("DELETE FROM leaving WHERE id = ?", (run_id,))

    def save_upload(self, run_id: str, staged: CheckpointStaged) -> None:
        self._write(
            "INSERT OR REPLACE INTO uploads VALUES (?, ?, ?)",
            (staged.folder, run_id, staged.SerializeToString()),
        )

    def remove_upload(self, staged: CheckpointStaged) -> None:
        self._write("DELETE FROM uploads WHERE folder = ?", (staged.folder,))

    async def take_over(self) -> None:
        """Nothing that another trainer still wants to write here is accepted after this."""
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writer.write(self._path, SCHEMA, lambda _: None, done=partial(_resolve, taken))
        await taken

    async def claim(self, run_id: str) -> int:
        """A number higher than all before for that name, deleted runs included. It goes with the
        worker that trains under it and with all that this worker saves."""
        claimed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        tokens: list[int] = []

        def work(connection: apsw.Connection) -> None:
            query = (
                "INSERT INTO run_claims VALUES (?, 1) "
                "ON CONFLICT (id) DO UPDATE SET token = token + 1 RETURNING token"
            )
            [row] = connection.execute(query, (run_id,)).fetchall()
            tokens.append(cast(int, row[0]))

        self._writer.write(self._path, SCHEMA, work, done=partial(_resolve, claimed))
        await claimed
        return tokens[-1]  # a transaction that had to be tried again claimed more than once

    def _write(
        self,
        statement: str,
        values: tuple[object, ...],
        *,
        done: Callable[[], None] = lambda: None,
    ) -> None:
        def work(connection: apsw.Connection) -> None:
            connection.execute(statement, values)

        self._writer.write(self._path, SCHEMA, work, done=done)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def store_path(folder: Path) -> Path:
    return folder / "runs.db"


def read_store(folder: Path) -> Stored:
    """Blocks; called once at boot, when the folder is taken over."""
    folder.mkdir(parents=True, exist_ok=True)
    connection = connect(store_path(folder), SCHEMA)
    try:
        rows = list(connection.execute("SELECT id, body, request_id FROM runs"))
        graves = list(connection.execute("SELECT id, sequence, farewell FROM graves"))
        leaving = list(connection.execute("SELECT body FROM leaving"))
        uploads = list(connection.execute("SELECT run, body FROM uploads ORDER BY folder"))
    finally:
        connection.close()
    return Stored(
        runs=[Run.FromString(body) for _, body, _ in rows],
        requests={request: identifier for identifier, _, request in rows if request},
        uploads=[(run, CheckpointStaged.FromString(body)) for run, body in uploads],
        graves={identifier: sequence for identifier, sequence, _ in graves},
        leaving=[Run.FromString(body) for (body,) in leaving],
        farewells=[Event.FromString(body) for _, _, body in graves if body is not None],
    )


def lock_folder(folder: Path) -> IO[str]:
    """One trainer per folder: two would both believe that they own the runs.

    The lock lasts as long as the answer is open. Raises Unavailable when another trainer has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        file.close()
        raise Unavailable(
            f"another trainer (process {owner}) works on this data folder; stop it, or start "
            "this one with another LAB_HOME"
        ) from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
