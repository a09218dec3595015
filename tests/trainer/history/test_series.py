"""Metric history: whole when it fits, every extreme kept when it does not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import InvalidArgument, OverLimit
from lab.v1.event_pb2 import EvaluationCompleted, Event, StepMeasured
from lab.v1.recording_pb2 import IntervalMeasured
from lab.v1.series_pb2 import SeriesSet
from services.trainer.history.series import MIN_POINTS, NAMES, read_series, thin
from services.trainer.journal import journal_file, journal_tables
from services.trainer.journal.writer import connect


def write(path: Path, events: list[Event]) -> None:
    connection = connect(path, journal_tables.SCHEMA)
    with connection:
        for sequence, event in enumerate(events, start=1):
            event.sequence = sequence
            journal_tables.put(connection, event, event.SerializeToString())
    connection.close()


def measured(step: int, loss: float) -> Event:
    return Event(step_measured=StepMeasured(step=step, loss=loss, tokens=step * 64))


def evaluated(step: int, loss: float) -> Event:
    return Event(evaluation_completed=EvaluationCompleted(step=step, loss=loss, tokens=5))


def query(path: Path, names: list[str], **options: Any) -> SeriesSet:
    with journal_file.reading(path) as connection:
        return read_series(connection, "runs/a", names, **options)


def test_everything_is_there_when_it_fits(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    write(path, [*(measured(step, 1 / step) for step in range(1, 101)), evaluated(50, 2.5)])
    answer = query(path, [])
    assert [series.name for series in answer.series] == list(NAMES)
    assert answer.last_sequence == 101
    by_name = {series.name: series for series in answer.series}
    loss, validation = by_name["loss"], by_name["validation_loss"]
    assert loss.complete
    assert list(loss.steps) == list(range(1, 101))
    assert list(loss.values) == [1 / step for step in range(1, 101)]
    assert (list(validation.steps), list(validation.values)) == ([50], [2.5])


def test_a_step_made_again_replaces_the_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    write(
        path,
        [measured(1, 5.0), measured(2, 4.0), measured(2, 3.0), evaluated(2, 9), evaluated(2, 8)],
    )
    (loss,) = query(path, ["loss"]).series
    assert (list(loss.steps), list(loss.values)) == ([1, 2], [5.0, 3.0])


def test_an_evaluation_made_again_replaces_the_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    write(path, [evaluated(2, 9.0), evaluated(2, 8.0)])
    (validation,) = query(path, ["validation_loss"]).series
    assert list(validation.values) == [8.0]


def test_one_spike_in_many_steps_survives_thinning(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    spikes = {7_777: 99.0, 4_321: -99.0}
    write(path, [measured(step, spikes.get(step, 1.0)) for step in range(1, 10_001)])
    (loss,) = query(path, ["loss"], max_points=100).series
    assert len(loss.steps) <= 100
    assert not loss.complete
    assert loss.recorded == 10_000
    kept = dict(zip(loss.steps, loss.values, strict=True))
    assert spikes.items() <= kept.items()
    assert {1, 10_000} <= kept.keys()


def test_a_range_of_steps_is_whole_where_the_run_is_not(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    write(path, [measured(step, float(step)) for step in range(1, 1_001)])
    (loss,) = query(path, ["loss"], step_from=200, step_to=299, max_points=100).series
    assert loss.complete
    assert list(loss.steps) == list(range(200, 300))


def test_a_name_nobody_records_is_refused_with_those_there_are(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    write(path, [measured(1, 1.0)])
    with pytest.raises(InvalidArgument, match="validation_loss"):
        query(path, ["perplexity"])
    with pytest.raises(OverLimit, match="max_points"):
        query(path, ["loss"], max_points=1_000_000)


def test_the_share_that_clipping_left_is_worked_out_for_every_step(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    norms = [0.5, 2.0, 1.0, 4.0]
    steps = [StepMeasured(step=index + 1, grad_norm=norm) for index, norm in enumerate(norms)]
    write(path, [Event(step_measured=step) for step in steps])
    (share,) = query(path, ["clip_share"], clip=1.0).series
    assert list(share.values) == [1.0, 0.5, 1.0, 0.25]
    (unclipped,) = query(path, ["clip_share"]).series
    assert list(unclipped.values) == [1.0] * 4


def test_bits_per_byte_are_a_series_where_they_were_measured(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    known = EvaluationCompleted(step=20, loss=3.0, tokens=8, bits_per_byte=1.25, text_bytes=20)
    write(path, [evaluated(10, 4.0), Event(evaluation_completed=known)])
    loss, bits = query(path, ["validation_loss", "bits_per_byte"]).series
    assert list(loss.steps) == [10, 20]
    assert (list(bits.steps), list(bits.values)) == ([20], [1.25])


def test_an_interval_tells_nothing_of_a_gpu_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    one = IntervalMeasured(step=9, steps=9, tokens_per_sec=800, step_secs_p50=0.1)
    two = IntervalMeasured(step=19, steps=10, tokens_per_sec=900, step_secs_p50=0.2)
    two.gpu_allocated_bytes, two.ceiling_share, two.data_wait_share = 5, 0.5, 0.25
    write(path, [Event(interval_measured=one), Event(interval_measured=two)])
    names = ["interval_tokens_per_sec", "data_wait_share", "gpu_allocated_bytes", "ceiling_share"]
    found = {s.name: dict(zip(s.steps, s.values, strict=True)) for s in query(path, names).series}
    assert found == {
        "interval_tokens_per_sec": {9: 800.0, 19: 900.0},
        "data_wait_share": {9: 0.0, 19: 0.25},
        "gpu_allocated_bytes": {19: 5.0},
        "ceiling_share": {19: 0.5},
    }


@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=400),
    st.integers(MIN_POINTS, 50),
)
def test_thinning_keeps_ends_extremes_and_order(values: list[float], points: int) -> None:
    array = np.array(values, dtype=np.float64)
    kept = thin(array, points)
    assert len(kept) <= max(points, 1)
    assert list(kept) == sorted(set(kept))
    assert kept[0] == 0
    assert kept[-1] == len(values) - 1
    assert array[kept].max() == array.max()
    assert array[kept].min() == array.min()
