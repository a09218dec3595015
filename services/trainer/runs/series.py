"""The history of metrics, whole when it fits and otherwise thinned with every extreme kept.

Each bucket of a thinned series keeps its smallest and its largest value, so a spike of one step in
a million is still drawn.
"""

from collections.abc import Sequence
from typing import Final

import apsw
import numpy as np
from numpy.typing import NDArray
from tsdownsample import MinMaxDownsampler

from lab.errors import InvalidArgument, OverLimit
from lab.v1.series_pb2 import Series, SeriesSet
from services.trainer.runs import journal_file
from services.trainer.runs.journal_file import METRICS, VALIDATION_LOSS

DEFAULT_POINTS: Final = 2_000
MIN_POINTS, MAX_POINTS = 4, 20_000
NAMES: Final = (*METRICS, VALIDATION_LOSS)


def read_series(
    connection: apsw.Connection,
    run: str,
    names: Sequence[str],
    *,
    step_from: int = 0,
    step_to: int = 0,
    max_points: int = 0,
) -> SeriesSet:
    """The asked series, all of the moment the connection sees. Blocks; call it in a thread."""
    wanted = list(dict.fromkeys(names)) or list(NAMES)
    _check(wanted, max_points=max_points)
    last = step_to or 2**32 - 1
    points = max_points or DEFAULT_POINTS
    return SeriesSet(
        run=run,
        series=[_read(connection, name, step_from, last, points) for name in wanted],
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


def _read(connection: apsw.Connection, name: str, first: int, last: int, points: int) -> Series:
    table, column = ("evaluations", "loss") if name == VALIDATION_LOSS else ("steps", name)
    rows = connection.execute(
        f"SELECT step, {column} FROM {table} "  # noqa: S608 # both come from NAMES
        f"WHERE step BETWEEN ? AND ? AND {column} IS NOT NULL ORDER BY step",
        (first, last),
    )
    table_of_points = np.array(rows.fetchall(), dtype=np.float64).reshape(-1, 2)
    kept = thin(table_of_points[:, 1], points)
    return Series(
        name=name,
        steps=table_of_points[kept, 0].astype(np.uint32).tolist(),
        values=table_of_points[kept, 1].tolist(),
        complete=len(kept) == len(table_of_points),
        recorded=len(table_of_points),
    )


def thin(values: NDArray[np.float64], points: int) -> NDArray[np.intp]:
    """Indexes of at most `points` values: the first, the last, the extremes of each bucket."""
    if len(values) <= points:
        return np.arange(len(values))
    buckets = (points - 2) // 2  # two extremes each, besides the two ends
    downsampler = MinMaxDownsampler()  # type: ignore[no-untyped-call]
    extremes = downsampler.downsample(np.ascontiguousarray(values), n_out=2 * buckets)
    return np.unique(np.concatenate(([0], extremes.astype(np.intp), [len(values) - 1])))
