"""The mean of a metric over every so many steps, of all that was recorded.

Points that were thinned keep the extremes, and the mean of extremes is not the mean: whoever draws
several runs as one asks for this instead. SQLite adds up where the rows are, so a million steps are
read without being carried.
"""

from collections.abc import Sequence
from typing import Any, Final

import apsw

from lab.errors import InvalidArgument, OverLimit
from lab.v1.series_pb2 import Series, SeriesSet
from services.trainer.journal import journal_file
from services.trainer.journal.pyramid import METRICS

MAX_MEANS: Final = 20_000


def read_means(
    connection: apsw.Connection,
    run: str,
    names: Sequence[str],
    *,
    steps: int,
    step_from: int = 0,
    step_to: int = 0,
) -> SeriesSet:
    """One mean of each metric per `steps` steps, counted from step 0; the first and the last are of
    those steps that lie in the range. Blocks; call it in a thread."""
    wanted = list(dict.fromkeys(names)) or list(METRICS)
    last = step_to or 2**32 - 1
    _check(connection, wanted, steps=steps, first=step_from, last=last)
    return SeriesSet(
        run=run,
        series=[_means(connection, name, steps, step_from, last) for name in wanted],
        last_sequence=journal_file.last_sequence(connection),
    )


def _check(
    connection: apsw.Connection, names: Sequence[str], *, steps: int, first: int, last: int
) -> None:
    for name in names:
        if name not in METRICS:
            raise InvalidArgument.field(
                "series",
                f'"{name[:40]}" is not measured at every step, so it has no means; these are: '
                + ", ".join(METRICS),
            )
    newest = next(connection.execute("SELECT max(step) FROM steps"))[0] or 0
    stretch = min(last, newest) - first + 1
    if stretch > steps * MAX_MEANS:
        least = -(-stretch // MAX_MEANS)
        raise OverLimit.field(
            "mean_of_steps", f"must be at least {least:,} for {stretch:,} steps, but is {steps:,}"
        )


def _means(connection: apsw.Connection, name: str, steps: int, first: int, last: int) -> Series:
    # A value that was no number is NULL here and counts for nothing.
    query = f"""
        SELECT CAST(round(avg(step)) AS INTEGER), avg({name}), count(*) FROM steps
        WHERE step BETWEEN :first AND :last AND {name} IS NOT NULL
        GROUP BY step / :steps ORDER BY step / :steps"""  # noqa: S608 # one of METRICS
    asked = {"first": first, "last": last, "steps": steps}
    rows: list[Any] = connection.execute(query, asked).fetchall()
    return Series(
        name=name,
        steps=[step for step, _, _ in rows],
        values=[value for _, value, _ in rows],
        complete=all(count == 1 for _, _, count in rows),
        recorded=sum(count for _, _, count in rows),
    )
