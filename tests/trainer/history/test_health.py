"""Health as a matrix of tensors and steps, and which row broke first."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lab.errors import InvalidArgument, OverLimit
from lab.v1.event_pb2 import Event
from lab.v1.recording_pb2 import HealthMeasured, QueryHealthResponse
from services.trainer.history.health import read_health
from services.trainer.journal import journal_file, journal_tables
from services.trainer.journal.writer import connect

TENSORS = ["wte", "h.0", "h.1"]


def write(path: Path, records: list[HealthMeasured]) -> None:
    connection = connect(path, journal_tables.SCHEMA)
    with connection:
        for sequence, record in enumerate(records, start=1):
            event = Event(sequence=sequence, health_measured=record)
            journal_tables.put(connection, event, event.SerializeToString())
    connection.close()


def record(step: int, updates: list[float], *, entropy: float = 0.5) -> HealthMeasured:
    return HealthMeasured(
        step=step,
        tensors=TENSORS,
        weight_rms=[2.0, 1.0, 0.0],
        gradient_rms=[1.0, 1.0, 1.0],
        update_rms=updates,
        attention_entropy=[entropy, 0.5],
    )


def query(path: Path, metric: str, **options: int) -> QueryHealthResponse:
    with journal_file.reading(path) as file:
        return read_health(file, "runs/a", metric, **options)


def matrix(answer: QueryHealthResponse) -> NDArray[np.float32]:
    return np.frombuffer(answer.values.data, "<f4").reshape(answer.values.shape)


def test_the_update_ratio_is_what_the_update_changed_a_tensor_by(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    write(path, [record(50, [0.002, 0.003, 0.1]), record(100, [0.004, 0.001, 0.1])])
    answer = query(path, "")
    assert (answer.metric, list(answer.rows), list(answer.steps)) == (
        "update_ratio",
        TENSORS,
        [50, 100],
    )
    found = matrix(answer)
    assert found[:2] == pytest.approx(np.array([[0.001, 0.002], [0.003, 0.001]]))
    assert np.isnan(found[2]).all()  # of a tensor that is all 0 there is none
    assert answer.complete


def test_layers_are_rows_of_their_metrics(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    write(path, [record(50, [1, 1, 1], entropy=0.25)])
    answer = query(path, "attention_entropy")
    assert list(answer.rows) == ["layer 0", "layer 1"]
    assert matrix(answer).tolist() == [[0.25], [0.5]]


def test_the_row_that_left_its_range_first_is_known(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    noise = np.random.default_rng(1).normal(0, 0.05, (40, 3))
    sizes = np.exp(np.log([1e-3, 2e-3, 1e-3]) + noise)
    sizes[25:, 1] *= 100  # h.0 breaks
    sizes[30, 0] = float("nan")  # wte follows
    write(path, [record(50 * index, sizes[index].tolist()) for index in range(40)])
    answer = query(path, "update_rms")
    assert dict(zip(answer.rows, answer.first_anomaly_steps, strict=True)) == {
        "wte": 1_500,
        "h.0": 1_250,
        "h.1": 0,
    }


def test_a_long_run_is_told_by_some_of_its_records_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    write(path, [record(step, [1, 1, 1]) for step in range(1, 101)])
    few = query(path, "weight_rms", max_columns=7)
    assert len(few.steps) == 7
    assert (few.steps[0], few.steps[-1], few.complete, few.recorded) == (1, 100, False, 100)
    part = query(path, "weight_rms", step_from=10, step_to=12)
    assert (list(part.steps), part.complete, part.recorded) == ([10, 11, 12], True, 3)


def test_what_is_not_recorded_is_refused_with_what_is(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    write(path, [])
    with pytest.raises(InvalidArgument, match="update_ratio"):
        query(path, "temperature")
    with pytest.raises(OverLimit, match="max_columns"):
        query(path, "weight_rms", max_columns=10**6)
