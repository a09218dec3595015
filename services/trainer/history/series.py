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
from lab.limits import MAX_POINTS
from lab.v1.series_pb2 import Series, SeriesSet
from services.trainer.journal import journal_file, pyramid
from services.trainer.journal.journal_tables import INTERVALS
from services.trainer.journal.pyramid import METRICS, Points

DEFAULT_POINTS: Final = 2_000
MIN_POINTS: Final = 4


@dataclass(frozen=True)
class _Source:
    """Where a series is: a table of one row per step, and what to take of a row."""

    table: str
    value: str


_RENAMED: Final = {"tokens_per_sec": "interval_tokens_per_sec"}  # steps have one of their own

_SOURCES: Final[Mapping[str, _Source]] = {
    "validation_loss": _Source("evaluations", "loss"),
    "bits_per_byte": _Source("bits_per_byte", "value"),
    **{_RENAMED.get(name, name): _Source("intervals", name) for name in INTERVALS},
}
CLIP_SHARE: Final = "clip_share"
STEP_SERIES: Final = (*METRICS, CLIP_SHARE)
NAMES: Final = (*STEP_SERIES, *_SOURCES)


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
    steps = None
    if any(name in STEP_SERIES for name in wanted):
        steps = pyramid.read_steps(
            connection,
            step_from,
            last,
            points=points,
            has_buckets=journal_file.has_table(connection, "step_buckets"),
        )
    return SeriesSet(
        run=run,
        series=[
            _of_steps(name, steps, points, clip)
            if steps is not None and name in STEP_SERIES
            else _thinned(name, _points(connection, name, step_from, last), points)
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


def _of_steps(name: str, steps: pyramid.StepPoints, points: int, clip: float) -> Series:
    if name == CLIP_SHARE:
        # Worked out, so that runs have it that were recorded before anyone asked. The extremes of
        # the gradient norm are those of the share, because one falls as the other rises.
        norms = steps.of["grad_norm"]
        kept = norms[:, 1] <= (clip or np.inf)
        share = np.where(kept, 1.0, (clip or np.inf) / np.where(kept, 1.0, norms[:, 1]))
        found = np.column_stack([norms[:, 0], share])
    else:
        found = steps.of[name]
    series = _thinned(name, found, points)
    if not steps.whole:
        series.complete = False
        series.recorded = steps.recorded
    return series


def _points(connection: apsw.Connection, name: str, first: int, last: int) -> Points:
    source = _SOURCES[name]
    rows = []
    if journal_file.has_table(connection, source.table):
        rows = connection.execute(
            f"SELECT step, {source.value} AS value FROM {source.table} "  # noqa: S608 # our words
            f"WHERE step BETWEEN :first AND :last AND value IS NOT NULL ORDER BY step",
            {"first": first, "last": last},
        ).fetchall()
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def _thinned(name: str, recorded: Points, points: int) -> Series:
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
