"""The playhead, in a real browser: a run that saves nothing is walked by its probe records."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.support.cluster import Cluster, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PATIENT_SECS = 120
TINY = {"layers": 2, "heads": 2, "width": 32, "context": 32}


def probe_steps(cluster: Cluster, run: str) -> list[int]:
    answer = cluster.http.get(f"/api/runs/{run}/probes", params={"limit": 1})
    assert answer.status_code == 200, answer.text
    return [int(step) for step in answer.json().get("steps", [])]


def test_the_playhead_walks_a_run_that_saves_nothing(page: Page, cluster: Cluster) -> None:
    run = cluster.start_run(
        model=TINY,
        data={"corpus": "tiny-shakespeare"},
        budget={"steps": 100_000, "batch": 1},
        hooks={"probe_every": 20, "evaluate_every": 0, "sample_every": 0},
    )
    until(lambda: len(probe_steps(cluster, run)) >= 4, secs=PATIENT_SECS, what="four looks")

    # A step in the address: everything on the page is of that step.
    page.goto(f"/inside?run={run}&at=0")
    rail = page.get_by_test_id("playhead-rail")
    expect(rail).to_have_attribute("data-at", "0")
    expect(page.get_by_test_id("recorded-note")).to_contain_text("at step 0.")
    expect(page.get_by_test_id("attention-map")).to_have_attribute("data-pending", "false")
    expect(page.get_by_test_id("score-grid")).to_have_attribute("data-step", "0")
    expect(page.get_by_test_id("token-losses-map")).to_have_attribute("data-mark", "0")

    # Keys walk the records, and the panels follow. The rail may have drawn the first of them only.
    expect(rail).to_have_attribute("data-stops", re.compile(r"^([2-9]|\d{2,})$"))
    page.keyboard.press(".")
    expect(page).to_have_url(re.compile(r"[?&]at=1(&|$)"))
    expect(page.get_by_test_id("recorded-note")).to_contain_text("at step 1.")
    expect(page.get_by_test_id("score-grid")).to_have_attribute("data-step", "1")
    expect(page.get_by_test_id("token-losses-map")).to_have_attribute("data-mark", "1")

    # What arrives puts more on the rail and does not move the playhead.
    before = int(rail.get_attribute("data-stops") or 0)
    until(
        lambda: int(rail.get_attribute("data-stops") or 0) > before,
        secs=PATIENT_SECS,
        what="another record on the rail",
    )
    expect(rail).to_have_attribute("data-at", "1")
    expect(page.get_by_test_id("recorded-note")).to_contain_text("at step 1.")

    # The live end is a peek, and any text can be asked about there.
    page.keyboard.press("l")
    expect(rail).to_have_attribute("data-at", "live")
    expect(page.get_by_test_id("inside-step")).to_be_visible(timeout=PATIENT_SECS * 1000)
    expect(page.get_by_test_id("recorded-note")).to_have_count(0)
    page.get_by_test_id("inside-text").fill("<b>ROMEO</b>:\x1b[31m I")
    page.get_by_test_id("analyse").click()
    ribbon = page.get_by_test_id("token-ribbon")
    expect(ribbon).to_contain_text("<", timeout=PATIENT_SECS * 1000)
    expect(ribbon.locator("b")).to_have_count(0)
    saved = cluster.http.get(f"/api/runs/{run}/checkpoints").json()
    assert saved.get("checkpoints", []) == []

    # On the run's page a click in a chart places it on a record.
    page.goto(f"/runs/{run}")
    chart = page.get_by_test_id("loss-chart")
    until(
        lambda: int(chart.get_attribute("data-points") or 0) > 1,
        secs=PATIENT_SECS,
        what="a curve",
    )
    expect(rail).to_have_attribute("data-stops", re.compile(r"[1-9]"))
    box = chart.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.3, box["y"] + box["height"] / 2)
    expect(rail).to_have_attribute("data-at", re.compile(r"\d+"))
    placed = int(rail.get_attribute("data-at") or -1)
    assert placed in probe_steps(cluster, run)

    # What the page shows of the run follows it.
    moment = page.get_by_test_id("run-moment")
    expect(moment).to_have_attribute("data-step", str(placed))
    expect(moment.get_by_test_id("token-ribbon")).to_be_visible()
    expect(moment.get_by_test_id("score-grid")).to_have_attribute("data-step", str(placed))
    page.keyboard.press("l")
    expect(moment).to_have_count(0)
