"""The database file of one run, read: its facts as they happened, and its metrics by step.

A file that was last written by an older version lacks tables; whoever asks finds them empty.
"""

import contextlib
import itertools
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from lab.errors import Damaged
from lab.v1.event_pb2 import Event
from lab.v1.recording_pb2 import ProbeRecord
from services.trainer.journal.journal_tables import BY_STEP, OF_A_COURSE


@dataclass(frozen=True)
class Progress:
    """How far a run had got at a step; absent numbers were never recorded."""

    step: int
    tokens: int
    elapsed_secs: float
    loss: float | None
    validation_loss: float | None
    best_validation_loss: float | None


@contextlib.contextmanager
def reading(path: Path) -> Iterator[apsw.Connection]:
    """One consistent view of the file. Safe while the writer writes."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(5_000)
        connection.execute("BEGIN")
        yield connection
    finally:
        connection.close()


def check(path: Path) -> None:
    """Raises Damaged when what a start needs cannot be read. The pages of old steps are not looked
    through: that would take seconds for a long run."""
    try:
        with reading(path) as connection:
            last_sequence(connection)
            published_sequence(connection)
            newest_facts(connection, ["run_state_changed"], 1)
            progress_at(connection)
    except (apsw.NotADBError, apsw.CorruptError, apsw.SQLError, DecodeError) as error:
        raise Damaged(f"{path.name} cannot be read: {error}") from error


def last_sequence(connection: apsw.Connection) -> int:
    return int(_one(connection, "SELECT coalesce(max(sequence), 0) FROM facts"))


def published_sequence(connection: apsw.Connection) -> int:
    return int(_one(connection, "SELECT coalesce(max(sequence), 0) FROM published"))


def facts_after(connection: apsw.Connection, sequence: int, limit: int) -> list[Event]:
    """Oldest first."""
    rows = connection.execute(
        "SELECT body FROM facts WHERE sequence > ? ORDER BY sequence LIMIT ?", (sequence, limit)
    )
    return [Event.FromString(body) for (body,) in rows]


def newest_facts(connection: apsw.Connection, kinds: Sequence[str], limit: int) -> list[Event]:
    """The newest of the kinds that still hold, oldest first; no kinds means all but steps."""
    conditions, values = [], list[Any]()
    if kinds:
        conditions.append(f"kind IN ({', '.join('?' * len(kinds))})")
        values += kinds
    if "step_measured" not in kinds:
        conditions.append("kind != 'step_measured'")  # lets SQLite use the partial index
    where = " AND ".join(conditions) or "true"
    rows = connection.execute(
        f"SELECT body FROM facts WHERE {where} ORDER BY sequence DESC",  # noqa: S608
        values,
    )
    rewinds = _rewinds(connection)
    events = (Event.FromString(body) for (body,) in rows)
    holding = (event for event in events if not _given_up(event, rewinds))
    return list(itertools.islice(holding, limit))[::-1]


def _rewinds(connection: apsw.Connection) -> list[tuple[int, int]]:
    if not has_table(connection, "rewinds"):
        return []
    return list(connection.execute("SELECT sequence, step FROM rewinds"))


def _given_up(event: Event, rewinds: Sequence[tuple[int, int]]) -> bool:
    """Whether the run went back behind the step of the fact after it was said."""
    kind = event.WhichOneof("fact")
    if kind not in OF_A_COURSE:
        return False
    step = getattr(event, kind).step
    return any(sequence > event.sequence and step > to for sequence, to in rewinds)


def newest_step(connection: apsw.Connection) -> int:
    """The last step anything is recorded of; 0 when nothing is."""
    tables = [table for table in BY_STEP if has_table(connection, table)]
    return max(
        int(_one(connection, f"SELECT coalesce(max(step), 0) FROM {table}"))  # noqa: S608
        for table in tables
    )


def has_table(connection: apsw.Connection, name: str) -> bool:
    """Not in a file that was last written before the table was thought of."""
    query = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?"
    return bool(next(connection.execute(query, (name,)))[0])


def health_between(connection: apsw.Connection, first: int, last: int) -> list[tuple[int, int]]:
    """Steps of the range at which health was measured, and the sequence of each one's fact."""
    if not has_table(connection, "health"):
        return []
    return list(
        connection.execute(
            "SELECT step, sequence FROM health WHERE step BETWEEN ? AND ? ORDER BY step",
            (first, last),
        )
    )


def fact(connection: apsw.Connection, sequence: int) -> Event:
    (body,) = next(connection.execute("SELECT body FROM facts WHERE sequence = ?", (sequence,)))
    return Event.FromString(body)


def probe_steps(connection: apsw.Connection) -> list[int]:
    if not has_table(connection, "probes"):
        return []
    return [step for (step,) in connection.execute("SELECT step FROM probes ORDER BY step")]


def probe(connection: apsw.Connection, step: int, *, attention: bool) -> ProbeRecord:
    """Of a step that probe_steps names."""
    column = "whole" if attention else "record"
    query = f"SELECT {column} FROM probes WHERE step = ?"  # noqa: S608
    (body,) = next(connection.execute(query, (step,)))
    return ProbeRecord.FromString(zlib.decompress(body) if attention else body)


def batch(connection: apsw.Connection, step: int) -> tuple[int, NDArray[np.float32]] | None:
    """Where the batch of a step began, and its sequences' losses; None when it is not recorded."""
    query = "SELECT position, sequence_losses FROM batches WHERE step = ?"
    row = next(connection.execute(query, (step,)), None)
    return None if row is None else (row[0], np.frombuffer(row[1], dtype="<f4"))


def progress_at(connection: apsw.Connection, step: int | None = None) -> Progress:
    """The newest numbers up to a step, that step included; without one, the newest of all."""
    limit = 2**62 if step is None else step
    row = next(
        connection.execute(
            "SELECT step, tokens, elapsed_secs, loss FROM steps WHERE step <= ? "
            "ORDER BY step DESC LIMIT 1",
            (limit,),
        ),
        (0, 0, 0.0, None),
    )
    validation = next(
        connection.execute(
            "SELECT loss FROM evaluations WHERE step <= ? ORDER BY step DESC LIMIT 1", (limit,)
        ),
        (None,),
    )
    best = next(
        connection.execute("SELECT min(loss) FROM evaluations WHERE step <= ?", (limit,)), (None,)
    )
    return Progress(row[0], row[1], row[2], row[3], validation[0], best[0])


def _one(connection: apsw.Connection, query: str) -> Any:
    (value,) = next(connection.execute(query))
    return value
