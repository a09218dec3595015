"""The learning rate's curve, against the table that the form's preview must meet as well."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import folders
from lab.errors import InvalidArgument
from lab.spec import learning_rate, load_presets, resolve
from lab.spec.fields import fill
from lab.v1 import run_spec_pb2
from lab.v1.run_spec_pb2 import RunSpec
from tests.shared.spec.test_resolve import Facts

POINTS = folders.checkout() / "frontend/src/api/schedule-points.json"
TABLE: list[dict[str, Any]] = json.loads(POINTS.read_text())
SHAPES = ["cosine", "linear", "constant", "wsd"]


def made(case: dict[str, Any]) -> RunSpec:
    spec = RunSpec()
    schedule = {name: case[name] for name in ("shape", "warmup_steps", "floor", "decay_share")}
    plain = {
        "optimizer": {"learning_rate": case["learning_rate"]},
        "schedule": schedule,
        "budget": {"steps": case["steps"]},
    }
    assert not fill(spec, plain)
    return spec


@pytest.mark.parametrize("case", TABLE, ids=[case["name"] for case in TABLE])
def test_the_curve_meets_its_points(case: dict[str, Any]) -> None:
    spec = made(case)
    found = [[step, learning_rate(spec, step)] for step, _ in case["points"]]
    assert [rate for _, rate in found] == pytest.approx([rate for _, rate in case["points"]])


def test_every_shape_has_points() -> None:
    assert {case["shape"] for case in TABLE} == set(SHAPES)
    assert len(run_spec_pb2.ScheduleShape.keys()) == 1 + len(SHAPES)


@given(
    shape=st.sampled_from(SHAPES),
    steps=st.integers(1, 400),
    warmup=st.floats(0, 1),
    floor=st.floats(0, 1),
    decay=st.floats(0.001, 1),
)
def test_it_rises_once_falls_once_and_ends_at_the_floor(
    shape: str, steps: int, warmup: float, floor: float, decay: float
) -> None:
    case = {"shape": shape, "steps": steps, "floor": floor, "decay_share": decay}
    spec = made({**case, "warmup_steps": int(warmup * (steps - 1)), "learning_rate": 2.0})
    rates = [learning_rate(spec, step) for step in range(1, steps + 1)]
    top = spec.schedule.warmup_steps
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert all(2 * floor - 1e-12 <= rate <= 2.0 for rate in rates[top:])
    if shape != "constant" and steps - top > 1:
        assert rates[-1] == pytest.approx(2 * floor, abs=1e-12)


def test_a_decay_that_does_not_fit_is_refused_with_the_numbers() -> None:
    spec = RunSpec()
    spec.schedule.shape = run_spec_pb2.SCHEDULE_SHAPE_WSD
    spec.schedule.warmup_steps, spec.schedule.decay_share, spec.budget.steps = 50, 0.6, 100
    with pytest.raises(InvalidArgument, match="60 steps of decay, but the warm-up leaves 50 of"):
        resolve("nano", spec, Facts())
    spec.schedule.decay_share = 0
    with pytest.raises(InvalidArgument, match=r"decay_share: must be above 0 and at most 1"):
        resolve("nano", spec, Facts())


def test_presets_say_how_they_would_decay() -> None:
    assert {p.spec.schedule.decay_share for p in load_presets().values()} == {0.2}
