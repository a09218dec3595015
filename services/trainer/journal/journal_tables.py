"""The tables of a run's journal, and how a fact goes into them.

Facts are append-only. The tables of metrics hold one row per step and only what still holds: when
a run goes on from an earlier step, the rows of later steps go, and they come again as it makes
those steps again.

An old file is brought up to date by what creates tables: each new kind of number has a table of its
own, so that none ever changes.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import apsw
import numpy as np

from lab.v1.event_pb2 import Event
from lab.v1.recording_pb2 import IntervalMeasured, ProbeRecord
from services.trainer.journal import pyramid
from services.trainer.journal.pyramid import METRICS

INTERVALS: Final = (
    "tokens_per_sec",
    "step_secs_p50",
    "step_secs_p95",
    "data_wait_share",
    "gpu_allocated_bytes",
    "gpu_reserved_bytes",
    "ceiling_share",
)
# What a run said of its steps no longer holds when it goes back behind them. Logs and checkpoints
# stay: they tell what happened and what is there.
OF_A_COURSE: Final = (
    "step_measured",
    "evaluation_completed",
    "text_sampled",
    "interval_measured",
    "health_measured",
    "spike_flagged",
    "probe_recorded",
)
BY_STEP: Final = (
    "steps",
    "batches",
    "evaluations",
    "bits_per_byte",
    "intervals",
    "health",
    "probes",
)
_FAST: Final = 1  # a level of zlib; half of every attention map is 0

SCHEMA: Final = f"""{pyramid.SCHEMA}
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
CREATE TABLE IF NOT EXISTS bits_per_byte (step INTEGER PRIMARY KEY, value REAL) STRICT;
CREATE TABLE IF NOT EXISTS intervals (
  step INTEGER PRIMARY KEY, tokens_per_sec REAL, step_secs_p50 REAL, step_secs_p95 REAL,
  data_wait_share REAL, gpu_allocated_bytes INTEGER, gpu_reserved_bytes INTEGER,
  ceiling_share REAL) STRICT;
CREATE TABLE IF NOT EXISTS health (
  step INTEGER PRIMARY KEY, sequence INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS probes (
  step INTEGER PRIMARY KEY, record BLOB NOT NULL, whole BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS rewinds (
  sequence INTEGER PRIMARY KEY, step INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS published (
  only INTEGER PRIMARY KEY CHECK (only = 1), sequence INTEGER NOT NULL) STRICT;
"""

_PUT_STEP = (
    f"INSERT OR REPLACE INTO steps (step, {', '.join(METRICS)}) "  # noqa: S608 # our own words
    f"VALUES (?{', ?' * len(METRICS)})"
)
_PUT_INTERVAL = (
    f"INSERT OR REPLACE INTO intervals (step, {', '.join(INTERVALS)}) "  # noqa: S608 # as above
    f"VALUES (?{', ?' * len(INTERVALS)})"
)


@dataclass(frozen=True)
class Kept:
    """What is for the file only: no chart needs it, and some of it is large."""

    sequence_losses: Sequence[float] = ()
    probe: ProbeRecord | None = None


def take_out(event: Event) -> Kept:
    """Takes what is for the file only out of a fact that is about to be numbered."""
    match event.WhichOneof("fact"):  # asking an event of another kind would change its kind
        case "step_measured":
            losses = list(event.step_measured.sequence_losses)
            event.step_measured.ClearField("sequence_losses")
            return Kept(sequence_losses=losses)
        case "probe_recorded":
            probe = event.probe_recorded.record
            event.probe_recorded.ClearField("record")
            return Kept(probe=probe)
        case _:
            return Kept()


def put(connection: apsw.Connection, event: Event, body: bytes, *, kept: Kept = Kept()) -> None:
    """Adds a fact, and its numbers to the tables of metrics.

    A batch is recorded beside its step: where its sequences begin in the run's endless row of them,
    and the loss of each (float32, little-endian).
    """
    kind = event.WhichOneof("fact")
    assert kind is not None
    connection.execute("INSERT INTO facts VALUES (?, ?, ?)", (event.sequence, kind, body))
    match kind:
        case "step_measured":
            step = event.step_measured
            pyramid.before_put(connection, step.step)
            connection.execute(_PUT_STEP, (step.step, *(getattr(step, name) for name in METRICS)))
            losses = np.asarray(kept.sequence_losses, dtype="<f4").tobytes()
            _replace(connection, "batches", step.step, step.data_position, losses)
        case "evaluation_completed":
            evaluation = event.evaluation_completed
            _replace(connection, "evaluations", evaluation.step, evaluation.loss, evaluation.tokens)
            if evaluation.HasField("bits_per_byte"):
                _replace(connection, "bits_per_byte", evaluation.step, evaluation.bits_per_byte)
        case "interval_measured":
            interval = event.interval_measured
            connection.execute(_PUT_INTERVAL, (interval.step, *_numbers(interval)))
        case "health_measured":
            _replace(connection, "health", event.health_measured.step, event.sequence)
        case "probe_recorded":
            if kept.probe is not None:
                _put_probe(connection, kept.probe)
        case (
            "spike_flagged"
        ):  # a step that was no number is not measured, but its text is asked for
            spike = event.spike_flagged
            connection.execute(
                "INSERT OR IGNORE INTO batches VALUES (?, ?, ?)",
                (spike.step, spike.data_position, b""),
            )
        case "run_rewound":
            _rewind(connection, event.sequence, event.run_rewound.step)


def _replace(connection: apsw.Connection, table: str, *values: Any) -> None:
    marks = ", ".join("?" * len(values))
    connection.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", values)  # noqa: S608


def _numbers(interval: IntervalMeasured) -> list[float | None]:
    """None for what a machine without a GPU, or without a measured ceiling, cannot tell."""
    message: Any = interval
    known = {field.name for field, _ in interval.ListFields()}
    optional = {field.name for field in interval.DESCRIPTOR.fields if field.has_presence}
    return [
        getattr(message, name) if name in known or name not in optional else None
        for name in INTERVALS
    ]


def _put_probe(connection: apsw.Connection, probe: ProbeRecord) -> None:
    """The attention lies apart: who looks at losses over all steps reads none of it."""
    light = ProbeRecord()
    light.CopyFrom(probe)
    for text in light.texts:
        text.ClearField("attention")
    whole = zlib.compress(probe.SerializeToString(), _FAST)
    _replace(connection, "probes", probe.step, light.SerializeToString(), whole)


def _rewind(connection: apsw.Connection, sequence: int, step: int) -> None:
    """Rows of later steps go. Their facts stay, but count no longer (see newest_facts)."""
    connection.execute("INSERT INTO rewinds VALUES (?, ?)", (sequence, step))
    pyramid.forget(connection, step)
    for table in BY_STEP:
        connection.execute(f"DELETE FROM {table} WHERE step > ?", (step,))  # noqa: S608


def put_published(connection: apsw.Connection, sequence: int) -> None:
    """Everything up to the sequence was acknowledged by JetStream."""
    connection.execute("INSERT OR REPLACE INTO published VALUES (1, ?)", (sequence,))
