"""Means of a metric over every so many steps: of all that was recorded, not of what was kept."""

from pathlib import Path
from typing import Any

import pytest

from lab.errors import InvalidArgument, OverLimit
from lab.v1.series_pb2 import Series
from services.trainer.history.means import MAX_MEANS, read_means
from services.trainer.history.series import read_series
from services.trainer.journal import journal_file
from tests.trainer.history.test_series import measured, write

STEPS = 10_000


def means(path: Path, **options: Any) -> Series:
    with journal_file.reading(path) as connection:
        (series,) = read_means(connection, "runs/a", ["loss"], **options).series
    return series


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Losses of 1, and of 101 at every hundredth step: 2 on average."""
    path = tmp_path / "journal.db"
    write(path, [measured(step, 1 + 100 * (step % 100 == 0)) for step in range(1, STEPS + 1)])
    return path


def test_they_are_of_every_step_where_points_are_of_the_extremes(path: Path) -> None:
    found = means(path, steps=1_000)
    assert list(found.values[1:-1]) == [pytest.approx(2.0)] * 9
    assert list(found.steps[:3]) == [500, 1_500, 2_500]
    assert found.recorded == STEPS
    with journal_file.reading(path) as connection:
        (kept,) = read_series(connection, "runs/a", ["loss"], max_points=20).series
    assert sum(kept.values) / len(kept.values) > 10  # what a mean of thinned points would tell


def test_one_step_each_is_every_point(path: Path) -> None:
    found = means(path, steps=1, step_from=95, step_to=101)
    assert found.complete
    assert list(found.steps) == list(range(95, 102))
    assert list(found.values) == [1, 1, 1, 1, 1, 101, 1]


def test_buckets_are_counted_from_step_0_so_that_runs_share_them(path: Path) -> None:
    whole = means(path, steps=64)
    part = means(path, steps=64, step_from=640, step_to=64 * 20 - 1)
    assert list(part.values) == list(whole.values[10:20])
    assert list(part.steps) == list(whole.steps[10:20])


def test_a_loss_that_was_no_number_counts_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    write(path, [measured(1, 2.0), measured(2, float("nan")), measured(3, 4.0)])
    found = means(path, steps=10)
    assert (list(found.values), found.recorded) == ([3.0], 2)


def test_what_cannot_be_answered_is_refused_with_what_can(path: Path) -> None:
    with journal_file.reading(path) as connection:
        with pytest.raises(InvalidArgument, match="grad_norm"):
            read_means(connection, "runs/a", ["validation_loss"], steps=10)
        connection.execute("INSERT INTO steps (step, loss) VALUES (?, 1)", (2 * MAX_MEANS,))
        with pytest.raises(OverLimit, match="at least 3 for 40,001 steps"):
            read_means(connection, "runs/a", ["loss"], steps=1)
