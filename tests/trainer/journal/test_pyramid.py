"""The kept extremes of every 64 steps say the same as the steps themselves, and lose no spike."""

from collections.abc import Iterator
from pathlib import Path

import apsw
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.v1.event_pb2 import Event, StepMeasured
from lab.v1.recording_pb2 import RunRewound
from services.trainer.history.series import read_series
from services.trainer.journal import journal_file, journal_tables, pyramid
from services.trainer.journal.writer import connect

STEPS = 20_000
SPIKE = 1e6


def measured(step: int, loss: float) -> Event:
    return Event(step_measured=StepMeasured(step=step, loss=loss, grad_norm=1.0))


def put(connection: apsw.Connection, *events: Event) -> None:
    for event in events:
        event.sequence = next(connection.execute("SELECT count(*) FROM facts"))[0] + 1
        journal_tables.put(connection, event, event.SerializeToString())


def buckets(connection: apsw.Connection) -> list[int]:
    return [row[0] for row in connection.execute("SELECT bucket FROM step_buckets")]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[apsw.Connection]:
    connection = connect(tmp_path / "journal.db", journal_tables.SCHEMA)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def long_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apsw.Connection]:
    """Many steps of noise, every bucket of them closed."""
    connection = connect(tmp_path_factory.mktemp("long") / "journal.db", journal_tables.SCHEMA)
    noise = np.random.default_rng(7).normal(5, 1, STEPS)
    with connection:
        connection.executemany(
            "INSERT INTO steps (step, loss, grad_norm) VALUES (?, ?, 1.0)",
            [(step, float(loss)) for step, loss in enumerate(noise, start=1)],
        )
        for bucket in range(STEPS // pyramid.BUCKET_STEPS):
            pyramid.close(connection, bucket)
    yield connection
    connection.close()


@settings(max_examples=1_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_spike_of_one_step_is_in_every_view_that_holds_it(
    long_run: apsw.Connection, data: st.DataObject
) -> None:
    spike = data.draw(st.integers(1, STEPS))
    first, last = data.draw(st.integers(0, spike)), data.draw(st.integers(spike, STEPS + 500))
    points = data.draw(st.integers(4, 4_000))
    up = data.draw(st.booleans())
    value = SPIKE if up else -SPIKE
    long_run.execute("SAVEPOINT one")
    long_run.execute("UPDATE steps SET loss = ? WHERE step = ?", (value, spike))
    if spike // pyramid.BUCKET_STEPS < STEPS // pyramid.BUCKET_STEPS:
        pyramid.close(long_run, spike // pyramid.BUCKET_STEPS)
    answer = read_series(
        long_run, "runs/a", ["loss"], step_from=first, step_to=last, max_points=points
    )
    long_run.execute("ROLLBACK TO one")
    [loss] = answer.series
    assert dict(zip(loss.steps, loss.values, strict=True))[spike] == value
    assert len(loss.steps) <= points
    assert list(loss.steps) == sorted(set(loss.steps))
    assert loss.recorded == min(last, STEPS) - max(first, 1) + 1


def test_the_coarse_view_is_used_and_every_point_of_it_was_recorded(
    long_run: apsw.Connection,
) -> None:
    coarse = pyramid.read_steps(long_run, 0, STEPS, points=500, has_buckets=True)
    whole = pyramid.read_steps(long_run, 0, STEPS, points=500, has_buckets=False)
    assert (coarse.whole, whole.whole) == (False, True)
    recorded = dict(map(tuple, whole.of["loss"]))
    assert len(coarse.of["loss"]) < len(recorded) / 10
    assert all(recorded[step] == loss for step, loss in coarse.of["loss"])


def test_a_bucket_is_closed_by_the_first_step_behind_it(journal: apsw.Connection) -> None:
    put(journal, *(measured(step, 1.0) for step in range(1, 64)))
    assert buckets(journal) == []
    put(journal, measured(64, 1.0))
    assert buckets(journal) == [0]
    put(journal, measured(1_000, 1.0))  # not every step is measured in every run
    assert buckets(journal) == [0, 1]


def test_steps_that_are_made_again_replace_what_was_kept_of_them(
    journal: apsw.Connection,
) -> None:
    put(journal, *(measured(step, 1.0) for step in range(1, 300)))
    put(journal, measured(100, SPIKE))
    assert buckets(journal) == [0]
    view = pyramid.read_steps(journal, 0, 299, points=4, has_buckets=True)
    assert not view.whole
    assert [100.0, SPIKE] in view.of["loss"].tolist()
    put(journal, Event(run_rewound=RunRewound(step=50)))
    assert buckets(journal) == []
    view = pyramid.read_steps(journal, 0, 299, points=4, has_buckets=True)
    assert view.of["loss"][-1].tolist() == [50.0, 1.0]


def test_a_file_from_before_there_were_buckets_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    connection = connect(path, journal_tables.SCHEMA)
    with connection:
        connection.execute("DROP TABLE step_buckets")
        connection.executemany(
            "INSERT INTO steps (step, loss) VALUES (?, ?)",
            [(step, float(step % 7)) for step in range(1, 5_000)],
        )
    connection.close()
    with journal_file.reading(path) as old:
        [loss] = read_series(old, "runs/a", ["loss"], max_points=100).series
    assert (loss.recorded, loss.complete) == (4_999, False)
    assert {loss.steps[0], loss.steps[-1]} == {1, 4_999}
    assert set(loss.values) >= {0.0, 6.0}
