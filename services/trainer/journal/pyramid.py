"""The extremes of every 64 steps, kept beside them: a million steps are looked through at once.

A chart is a few thousand points wide, whatever it shows. Reading every recorded step to draw it
takes seconds in a long run; the smallest and the largest value of every bucket, each with its step,
are enough for any coarser view, and no spike is lost on the way. A bucket is written when the first
step behind it comes, in the same transaction. One that is missing (an old file, steps made again)
is read from its steps.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import apsw
import numpy as np
from numpy.typing import NDArray

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
BUCKET_STEPS: Final = 64
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS step_buckets (
  bucket INTEGER PRIMARY KEY, steps INTEGER NOT NULL, extremes BLOB NOT NULL) STRICT;
"""
_COLUMNS: Final = ", ".join(METRICS)
_STEP_OF_LOW, _LOW, _STEP_OF_HIGH, _HIGH = range(4)

Points: TypeAlias = NDArray[np.float64]  # (n, 2): steps, rising, and values


@dataclass(frozen=True)
class StepPoints:
    """Metrics of steps: every recorded one, or at least the extremes of every bucket."""

    of: dict[str, Points]
    recorded: int  # steps in the range, whether they are among the points or not
    whole: bool


def before_put(connection: apsw.Connection, step: int) -> None:
    """Before a step is written: closes the bucket that it leaves behind."""
    newest = next(connection.execute("SELECT max(step) FROM steps"))[0]
    if newest is None:
        return
    if step <= newest:
        forget(connection, step)
    elif step // BUCKET_STEPS > newest // BUCKET_STEPS:
        close(connection, newest // BUCKET_STEPS)


def forget(connection: apsw.Connection, step: int) -> None:
    """What holds the step or a later one is not true any more."""
    connection.execute("DELETE FROM step_buckets WHERE bucket >= ?", (step // BUCKET_STEPS,))


def read_steps(
    connection: apsw.Connection, first: int, last: int, *, points: int, has_buckets: bool
) -> StepPoints:
    """The metrics between two steps, both included, fine enough to be thinned to `points`."""
    newest = next(connection.execute("SELECT max(step) FROM steps"))[0] or 0
    last = min(last, newest)
    begin, end = -(-first // BUCKET_STEPS), (last + 1) // BUCKET_STEPS  # whole buckets inside
    if not has_buckets or 4 * (end - begin) < points:
        rows = _rows(connection, first, last)
        return StepPoints(_by_metric(rows), len(rows), whole=True)
    stored: list[Any] = connection.execute(
        "SELECT bucket, steps, extremes FROM step_buckets WHERE bucket >= ? AND bucket < ?",
        (begin, end),
    ).fetchall()
    buckets: list[int] = [bucket for bucket, _, _ in stored]
    counts: list[int] = [steps for _, steps, _ in stored]
    bodies: list[bytes] = [body for _, _, body in stored]
    extremes = np.frombuffer(b"".join(bodies), dtype="<f8")
    extremes = extremes.reshape(len(stored), len(METRICS), 4)
    gaps = [_rows(connection, *gap) for gap in _gaps(buckets, first, last)]
    raw = np.concatenate([np.empty((0, 1 + len(METRICS))), *gaps])
    found = {}
    for index, (metric, loose) in enumerate(_by_metric(raw).items()):
        low = extremes[:, index, [_STEP_OF_LOW, _LOW]]
        high = extremes[:, index, [_STEP_OF_HIGH, _HIGH]]
        found[metric] = _in_order(np.concatenate([loose, low, high]))
    return StepPoints(found, sum(counts) + len(raw), whole=False)


def close(connection: apsw.Connection, bucket: int) -> None:
    """Writes a bucket from its steps."""
    rows = _rows(connection, bucket * BUCKET_STEPS, (bucket + 1) * BUCKET_STEPS - 1)
    extremes = np.full((len(METRICS), 4), np.nan)
    for index, points in enumerate(_by_metric(rows).values()):
        if len(points):
            low, high = points[points[:, 1].argmin()], points[points[:, 1].argmax()]
            extremes[index] = (*low, *high)
    connection.execute(
        "INSERT OR REPLACE INTO step_buckets VALUES (?, ?, ?)",
        (bucket, len(rows), extremes.astype("<f8").tobytes()),
    )


def _rows(connection: apsw.Connection, first: int, last: int) -> NDArray[np.float64]:
    """(n, 1 + metrics); NaN where a value was none."""
    query = f"SELECT step, {_COLUMNS} FROM steps WHERE step BETWEEN ? AND ? ORDER BY step"  # noqa: S608 # our words
    rows = connection.execute(query, (first, last)).fetchall()
    return np.array(rows, dtype=np.float64).reshape(-1, 1 + len(METRICS))


def _by_metric(rows: NDArray[np.float64]) -> dict[str, Points]:
    return {
        metric: rows[~np.isnan(rows[:, column])][:, [0, column]]
        for column, metric in enumerate(METRICS, start=1)
    }


def _gaps(buckets: list[int], first: int, last: int) -> Iterator[tuple[int, int]]:
    """The stretches of steps between two steps that no bucket covers."""
    before = [bucket * BUCKET_STEPS - 1 for bucket in buckets]
    after = [(bucket + 1) * BUCKET_STEPS for bucket in buckets]
    for begin, end in zip([first, *after], [*before, last], strict=True):
        if begin <= end:
            yield begin, end


def _in_order(points: Points) -> Points:
    """By step, each once, without those that are none."""
    points = points[~np.isnan(points[:, 1])]
    _, order = np.unique(points[:, 0], return_index=True)
    return points[order]
