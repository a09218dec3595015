"""The health of every tensor and layer over a run, as one matrix, and what broke first."""

from collections.abc import Mapping, Sequence
from typing import Final

import apsw
import numpy as np
from numpy.typing import NDArray

from lab.errors import InvalidArgument, OverLimit
from lab.limits import MAX_COLUMNS
from lab.v1 import tensor_pb2
from lab.v1.recording_pb2 import HealthMeasured, QueryHealthResponse
from lab.v1.tensor_pb2 import Tensor
from services.trainer.history.picking import evenly
from services.trainer.journal import journal_file

BY_TENSOR: Final = ("weight_rms", "gradient_rms", "update_rms", "update_ratio")
BY_LAYER: Final = ("attention_entropy", "largest_logit", "residual_rms", "dead_units")
DEFAULT_METRIC: Final = "update_ratio"
DEFAULT_COLUMNS = 500

# A row's own range: so many records before one, and so many of their robust deviations. A deviation
# counts as at least so much, because a row that has hardly moved is not broken when it moves a
# little: a quarter of a logarithm for sizes; for shares, which may be 0, a twentieth.
_BEFORE, _FEWEST_BEFORE, _FAR = 32, 8, 6.0
_TO_SIGMA = 1.4826  # from a median absolute deviation, for what is spread normally
_LEAST_SIZE, _LEAST_SHARE = 0.25, 0.05
_SHARES: Final = ("attention_entropy", "dead_units")

Floats = NDArray[np.float64]


def read_health(
    connection: apsw.Connection,
    run: str,
    metric: str,
    *,
    step_from: int = 0,
    step_to: int = 0,
    max_columns: int = 0,
) -> QueryHealthResponse:
    """Blocks; call it in a thread."""
    metric = metric or DEFAULT_METRIC
    if metric not in (*BY_TENSOR, *BY_LAYER):
        known = ", ".join((*BY_TENSOR, *BY_LAYER))
        raise InvalidArgument.field("metric", f'"{metric[:40]}" is not recorded; there are {known}')
    if max_columns > MAX_COLUMNS:
        raise OverLimit.field(
            "max_columns", f"must be at most {MAX_COLUMNS:,}, but is {max_columns:,}"
        )
    measured = journal_file.health_between(connection, step_from, step_to or 2**32 - 1)
    picked = evenly(measured, max_columns or DEFAULT_COLUMNS)
    facts = [journal_file.fact(connection, sequence).health_measured for _, sequence in picked]
    columns = [_column(fact, metric) for fact in facts]
    rows = list(columns[0]) if columns else []
    values = np.array([list(column.values()) for column in columns], dtype=np.float64)
    values = values.reshape(len(columns), len(rows)).T  # (rows, columns)
    steps = [step for step, _ in picked]
    return QueryHealthResponse(
        run=run,
        metric=metric,
        rows=rows,
        steps=steps,
        values=Tensor(
            shape=values.shape,
            dtype=tensor_pb2.DTYPE_FLOAT32,
            data=values.astype("<f4").tobytes(),
        ),
        complete=len(picked) == len(measured),
        recorded=len(measured),
        first_anomaly_steps=[
            first_anomaly(
                _comparable(row, metric),
                steps,
                least=_LEAST_SHARE if metric in _SHARES else _LEAST_SIZE,
            )
            for row in values
        ],
        last_sequence=journal_file.last_sequence(connection),
    )


def _column(fact: HealthMeasured, metric: str) -> Mapping[str, float]:
    """One record's values by row."""
    if metric in BY_LAYER:
        layers: Sequence[float] = getattr(fact, metric)
        return {f"layer {layer}": value for layer, value in enumerate(layers)}
    if metric == "update_ratio":
        weights = np.array(fact.weight_rms)
        with np.errstate(divide="ignore", invalid="ignore"):  # a bias begins at 0: no ratio yet
            ratios = np.where(weights > 0, np.array(fact.update_rms) / weights, np.nan)
        return dict(zip(fact.tensors, ratios.tolist(), strict=True))
    return dict(zip(fact.tensors, getattr(fact, metric), strict=True))


def _comparable(values: Floats, metric: str) -> Floats:
    """So that twice as much and half as much are equally far."""
    if metric in _SHARES:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values == 0, np.nan, np.log(np.abs(values)))


def first_anomaly(values: Floats, steps: Sequence[int], *, least: float) -> int:
    """The step of the first value far outside of those before it, or that is no number after some
    that were; 0 when there is none."""
    for index in range(_FEWEST_BEFORE, len(values)):
        before = values[max(0, index - _BEFORE) : index]
        before = before[np.isfinite(before)]
        if len(before) < _FEWEST_BEFORE:
            continue
        middle = np.median(before)
        deviation = _TO_SIGMA * float(np.median(np.abs(before - middle)))
        far = abs(values[index] - middle) / max(deviation, least)
        if not far <= _FAR:  # NaN is beyond any range
            return steps[index]
    return 0
