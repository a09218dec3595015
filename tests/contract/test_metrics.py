"""Names of metrics are written in three places that share no code; they are the same names."""

from __future__ import annotations

import re

from lab import folders
from lab.v1.event_pb2 import StepMeasured
from services.trainer.history.series import NAMES
from services.trainer.journal.pyramid import METRICS

CHART = folders.checkout() / "frontend" / "src" / "features" / "training" / "step-series.ts"


def charted() -> set[str]:
    listed = re.search(r"export const METRICS = \[(.*?)\]", CHART.read_text(), re.S)
    assert listed, f"{CHART.name} lists no metrics"
    return set(re.findall(r'"(\w+)"', listed[1]))


def test_what_the_journal_keeps_of_a_step_is_what_a_step_tells() -> None:
    assert set(METRICS) <= set(StepMeasured.DESCRIPTOR.fields_by_name)


def test_the_dashboard_charts_every_metric_of_a_step_and_none_that_nobody_answers() -> None:
    assert set(METRICS) <= charted() <= set(NAMES)
