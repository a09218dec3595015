"""The history of metrics, whole when it fits and otherwise thinned with every extreme kept.

Each bucket of a thinned series keeps its smallest and its largest value, so a spike of one step in
a million is still drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import apsw
import numpy as np
from numpy.typing import NDArray
from tsdownsample import MinMaxDownsampler

from lab.errors import InvalidArgument, OverLimit
from lab.v1.series_pb2 import Series, SeriesSet
from services.trainer.runs import journal_file
from services.trainer.runs.journal_tables import INTERVALS, METRICS

DEFAULT_POINTS: Final = 2_000
MIN_POINTS, MAX_POINTS = 4, 20_000


@dataclass(frozen=True)
class _Source:
    """Where a series is: a table of one row per step, and what to take of a row."""

    table: str
    value: str


_RENAMED: Final = {"tokens_per_sec": "interval_tokens_per_sec"}  # steps have one of their own

_SOURCES: Final[Mapping[str, _Source]] = {
    **{name: _Source("steps", name) for name in METRICS},
    # Worked out, so that runs have it that were recorded before anyone asked.
    "clip_share": _Source("steps", "CASE WHEN grad_norm > :clip THEN :clip / grad_norm ELSE 1 END"),
    "validation_loss": _Source("evaluations", "loss"),
    "bits_per_byte": _Source("bits_per_byte", "value"),
    **{_RENAMED.get(name, name): _Source("intervals", name) for name in INTERVALS},
}
NAMES: Final = tuple(_SOURCES)


def read_series(
    connection: apsw.Connection,
    run: str,
    names: Sequence[str],
    *,
    step_from: int = 0,
    step_to: int = 0,
    max_points: int = 0,
    clip: float = 0.0,
) -> SeriesSet:
    """The asked series, all of the moment the connection sees. Blocks; call it in a thread.

    `clip` is the run's largest gradient norm, or 0 when it clips nothing.
    """
    wanted = list(dict.fromkeys(names)) or list(NAMES)
    _check(wanted, max_points=max_points)
    last = step_to or 2**32 - 1
    points = max_points or DEFAULT_POINTS
    return SeriesSet(
        run=run,
        series=[
            _thinned(name, _points(connection, name, step_from, last, clip), points)
            for name in wanted
        ],
        last_sequence=journal_file.last_sequence(connection),
    )


def _check(names: Sequence[str], *, max_points: int) -> None:
    for name in names:
        if name not in NAMES:
            raise InvalidArgument.field(
                "series", f'"{name[:40]}" is not recorded; there are {", ".join(NAMES)}'
            )
    if max_points and not MIN_POINTS <= max_points <= MAX_POINTS:
        raise OverLimit.field("max_points", f"must be {MIN_POINTS} to {MAX_POINTS:,}, or 0")


def _points(
    connection: apsw.Connection, name: str, first: int, last: int, clip: float
) -> NDArray[np.float64]:
    """Steps and values, (n, 2)."""
    source = _SOURCES[name]
    rows = []
    if journal_file.has_table(connection, source.table):
        rows = connection.execute(
            f"SELECT step, {source.value} AS value FROM {source.table} "  # noqa: S608 # our words
            f"WHERE step BETWEEN :first AND :last AND value IS NOT NULL ORDER BY step",
            {"first": first, "last": last, "clip": clip or float("inf")},
        ).fetchall()
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def _thinned(name: str, recorded: NDArray[np.float64], points: int) -> Series:
    kept = thin(recorded[:, 1], points)
    return Series(
        name=name,
        steps=recorded[kept, 0].astype(np.uint32).tolist(),
        values=recorded[kept, 1].tolist(),
        complete=len(kept) == len(recorded),
        recorded=len(recorded),
    )


def thin(values: NDArray[np.float64], points: int) -> NDArray[np.intp]:
    """Indexes of at most `points` values: the first, the last, the extremes of each bucket."""
    if len(values) <= points:
        return np.arange(len(values))
    buckets = (points - 2) // 2  # two extremes each, besides the two ends
    downsampler = MinMaxDownsampler()  # type: ignore[no-untyped-call]
    extremes = downsampler.downsample(np.ascontiguousarray(values), n_out=2 * buckets)
    return np.unique(np.concatenate(([0], extremes.astype(np.intp), [len(values) - 1])))
