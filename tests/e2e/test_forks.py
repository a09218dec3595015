"""A saved step in a real browser: saved by a rule set on the running run, forked with another
learning rate, drawn with what it inherits; and a stopped run resumed from its row."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.cluster import Cluster, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PATIENT_SECS = 120
PATIENT_MS = PATIENT_SECS * 1000
TINY = {
    "data": {"corpus": "tiny-shakespeare"},
    "model": {"layers": 1, "width": 16, "heads": 2, "context": 16},
}
LONG = 1_000_000  # steps: such a run ends only when it is stopped
SAVED_STEP = 20
FORK_STEPS = 40


def _ended(cluster: Cluster, run: str) -> bool:
    return bool(cluster.run(run).get("endTime"))


def _number(chart: Locator, attribute: str) -> float:
    return float(chart.get_attribute(attribute) or 0)


def _row(page: Page, run: str) -> Locator:
    return page.locator(f'[data-testid="checkpoint-row"][data-checkpoint^="runs/{run}/"]')


def test_a_fork_shows_where_it_comes_from(page: Page, cluster: Cluster) -> None:
    parent = cluster.start_run(
        **TINY, budget={"steps": SAVED_STEP}, hooks={"checkpointOnStop": True, "evaluateEvery": 10}
    )
    until(lambda: _ended(cluster, parent), secs=PATIENT_SECS, what="the parent's end")

    page.goto("/checkpoints")
    _row(page, parent).get_by_test_id("checkpoint-more").click()
    page.get_by_test_id("checkpoint-fork").click()
    dialog = page.get_by_test_id("fork-dialog")
    expect(dialog).to_contain_text(f"in all: the {SAVED_STEP} before the fork count")
    # It says at the field why that few steps cannot be, and starts nothing.
    steps = page.get_by_test_id("fork-steps")
    page.get_by_test_id("fork-rate").fill("0.0005")
    steps.fill(str(SAVED_STEP))
    page.get_by_test_id("fork-start").click()
    expect(steps).to_have_attribute("aria-invalid", "true", timeout=PATIENT_MS)
    expect(dialog.get_by_role("alert")).to_contain_text(f"must be more than {SAVED_STEP}")
    steps.fill(str(FORK_STEPS))
    expect(steps).to_have_attribute("aria-invalid", "false")
    page.get_by_test_id("fork-start").click()
    page.wait_for_url(re.compile(r"/runs/(?!new)"))
    fork = page.url.rsplit("/", 1)[1]
    assert fork != parent

    expect(page.get_by_test_id("run-parent")).to_contain_text(
        f"{parent} at step {SAVED_STEP}", timeout=PATIENT_MS
    )
    until(lambda: _ended(cluster, fork), secs=PATIENT_SECS, what="the fork's end")
    made = cluster.run(fork)
    assert made["parent"]["run"] == f"runs/{parent}"
    assert made["spec"]["optimizer"]["learningRate"] == 0.0005
    chart = page.get_by_test_id("loss-chart")
    own_points = str(FORK_STEPS - SAVED_STEP)
    # Both are in sight, in the charts beside it too, and one place is one step in all of them.
    for shown in (chart, page.get_by_test_id("chart-learning-rate")):
        expect(shown).to_have_attribute("data-points", own_points, timeout=PATIENT_MS)
        expect(shown).to_have_attribute("data-inherited", str(SAVED_STEP), timeout=PATIENT_MS)
        assert _number(shown, "data-from") <= 1
        assert _number(shown, "data-to") == FORK_STEPS
    expect(page.get_by_test_id("inherited-note")).to_contain_text(f"step {SAVED_STEP}")
    page.get_by_test_id("run-parent").get_by_role("link").click()
    page.wait_for_url(f"**/runs/{parent}")
    expect(chart).to_have_attribute("data-points", str(SAVED_STEP), timeout=PATIENT_MS)
    expect(chart).to_have_attribute("data-inherited", "0")


def test_saved_by_a_rule_set_while_it_trains_and_resumed_from_its_row(
    page: Page, cluster: Cluster
) -> None:
    run = cluster.start_run(**TINY, budget={"steps": LONG})
    until(lambda: cluster.step_of(run) >= 1, secs=PATIENT_SECS, what="a step")
    assert not cluster.run(run)["latestCheckpoint"]  # saving is off
    page.goto(f"/runs/{run}")
    words = page.get_by_test_id("saving-words")
    expect(words).to_contain_text("Saving is off", timeout=PATIENT_MS)
    # A rule that comes due within as many steps again, and saves little however fast it trains.
    page.get_by_test_id("saving-logSpaced").check()
    page.get_by_test_id("saving-apply").click()
    expect(words).to_contain_text("Saved after 1, 2, 4, 8", timeout=PATIENT_MS)
    page.goto("/checkpoints")
    expect(_row(page, run).first).to_contain_text("1, 2, 4, 8", timeout=PATIENT_MS)

    assert cluster.verb(run, "stop", save=True).status_code == 200
    until(lambda: _ended(cluster, run), secs=PATIENT_SECS, what="the run's end")
    stopped = cluster.run(run)
    newest = page.locator(f'[data-checkpoint="{stopped["latestCheckpoint"]}"]')
    newest.get_by_test_id("checkpoint-more").click()  # waits for the news of it
    page.get_by_role("menuitem", name="Resume the run from here").click()
    at = stopped["stats"]["step"]
    until(lambda: cluster.step_of(run) > at, secs=PATIENT_SECS, what="steps after the resume")
    assert not _ended(cluster, run)
