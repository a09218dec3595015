"""The database file of one run: its facts as they happened, and its metrics by step.

Facts are append-only. The tables of metrics hold one row per step: when a resumed run makes a step
again, the later value replaces the earlier one.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import apsw
import numpy as np

from lab.v1.event_pb2 import Event

METRICS: Final = (
    "loss",
    "grad_norm",
    "learning_rate",
    "tokens_per_sec",
    "step_secs",
    "memory_bytes",
    "tokens",
    "elapsed_secs",
)
VALIDATION_LOSS: Final = "validation_loss"

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS facts (
  sequence INTEGER PRIMARY KEY, kind TEXT NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS facts_by_kind ON facts (kind, sequence) WHERE kind != 'step_measured';
CREATE TABLE IF NOT EXISTS steps (
  step INTEGER PRIMARY KEY, loss REAL, grad_norm REAL, learning_rate REAL, tokens_per_sec REAL,
  step_secs REAL, memory_bytes INTEGER, tokens INTEGER, elapsed_secs REAL) STRICT;
CREATE TABLE IF NOT EXISTS batches (
  step INTEGER PRIMARY KEY, position INTEGER NOT NULL, sequence_losses BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS evaluations (
  step INTEGER PRIMARY KEY, loss REAL, tokens INTEGER) STRICT;
CREATE TABLE IF NOT EXISTS published (
  only INTEGER PRIMARY KEY CHECK (only = 1), sequence INTEGER NOT NULL) STRICT;
"""

_PUT_STEP = (
    f"INSERT OR REPLACE INTO steps (step, {', '.join(METRICS)}) "  # noqa: S608 # our own words
    f"VALUES (?{', ?' * len(METRICS)})"
)


@dataclass(frozen=True)
class Progress:
    """How far a run had got at a step; absent numbers were never recorded."""

    step: int
    tokens: int
    elapsed_secs: float
    loss: float | None
    validation_loss: float | None
    best_validation_loss: float | None


def put(
    connection: apsw.Connection, event: Event, body: bytes, *, sequence_losses: Sequence[float] = ()
) -> None:
    """Adds a fact, and its numbers to the tables of metrics.

    A batch is recorded beside its step: where its sequences begin in the run's endless row of them,
    and the loss of each (float32, little-endian), which no fact carries because a chart needs none.
    """
    kind = event.WhichOneof("fact")
    assert kind is not None
    connection.execute("INSERT INTO facts VALUES (?, ?, ?)", (event.sequence, kind, body))
    if kind == "step_measured":
        step = event.step_measured
        connection.execute(_PUT_STEP, (step.step, *(getattr(step, name) for name in METRICS)))
        connection.execute(
            "INSERT OR REPLACE INTO batches VALUES (?, ?, ?)",
            (step.step, step.data_position, np.asarray(sequence_losses, dtype="<f4").tobytes()),
        )
    elif kind == "evaluation_completed":
        evaluation = event.evaluation_completed
        connection.execute(
            "INSERT OR REPLACE INTO evaluations VALUES (?, ?, ?)",
            (evaluation.step, evaluation.loss, evaluation.tokens),
        )


def put_published(connection: apsw.Connection, sequence: int) -> None:
    """Everything up to the sequence was acknowledged by JetStream."""
    connection.execute("INSERT OR REPLACE INTO published VALUES (1, ?)", (sequence,))


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
    """The newest of the kinds, oldest first; no kinds means all but steps."""
    conditions, values = [], list[Any]()
    if kinds:
        conditions.append(f"kind IN ({', '.join('?' * len(kinds))})")
        values += kinds
    if "step_measured" not in kinds:
        conditions.append("kind != 'step_measured'")  # lets SQLite use the partial index
    where = " AND ".join(conditions) or "true"
    rows = connection.execute(
        f"SELECT body FROM facts WHERE {where} ORDER BY sequence DESC LIMIT ?",  # noqa: S608
        (*values, limit),
    )
    return [Event.FromString(body) for (body,) in rows][::-1]


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
