"""A newcomer's first visit, in a real browser: start, watch, steer, look inside."""

from __future__ import annotations

import base64
import re
import time

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.cluster import Cluster, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

# The worker steps back for everybody else; on a busy machine it gets little. How long things take
# on a quiet one is measured in tests/benchmarks.
PATIENT_SECS = 120


def points(page: Page) -> int:
    return int(page.get_by_test_id("loss-chart").get_attribute("data-points") or 0)


def step(page: Page) -> int:
    return int(page.get_by_test_id("run-step").get_attribute("data-step") or 0)


def state(page: Page) -> Locator:
    return page.get_by_test_id("run-state").first


def start_run(page: Page, *, corpus: str = "tiny-shakespeare", steps: int = 2000) -> str:
    """Through the form, as a person would; answers the run's id."""
    page.goto("/")
    page.get_by_test_id("new-run").first.click()
    page.get_by_test_id("preset-nano").click()
    page.get_by_test_id("field-data.corpus").select_option(corpus)
    page.get_by_test_id("field-length-unit").select_option("steps")
    page.get_by_test_id("field-length").fill(str(steps))
    page.get_by_test_id("field-prompt").fill("ROMEO:")
    expect(page.get_by_test_id("start-run")).to_be_enabled()
    page.get_by_test_id("start-run").click()
    page.wait_for_url(re.compile(r"/runs/nano-[a-z0-9]+"))
    return page.url.rsplit("/", 1)[1].split("?")[0]


def test_the_whole_first_visit(page: Page, cluster: Cluster) -> None:
    run = start_run(page)
    began = time.monotonic()
    expect(page.get_by_test_id("connection-status")).to_have_attribute("data-state", "live")
    until(lambda: points(page) >= 1, secs=PATIENT_SECS, what="a first point")
    print(f"run page opened to first point: {time.monotonic() - began:.1f} s")

    # The curve moves, and falls from where an untrained model stands.
    seen = points(page)
    until(lambda: points(page) >= seen + 5, secs=PATIENT_SECS, what="five more points")
    series = cluster.http.get(f"/api/runs/{run}/series", params={"series": "loss"}).json()
    losses = series["series"]["series"][0]["values"]
    assert losses[0] == pytest.approx(10.82, abs=0.3)
    assert losses[-1] < losses[0]

    # Pause holds at a step boundary; one step makes exactly one; resume goes on.
    page.get_by_test_id("run-pause").click()
    expect(state(page)).to_have_attribute("data-state", "PAUSED", timeout=PATIENT_SECS * 1000)
    expect(page.get_by_test_id("run-pause")).to_be_disabled()
    held = cluster.step_of(run)
    until(lambda: step(page) == held, secs=5, what="the page shows the step it holds at")
    page.get_by_test_id("run-advance").click()
    until(lambda: cluster.step_of(run) == held + 1, secs=PATIENT_SECS, what="one step was made")
    expect(state(page)).to_have_attribute("data-state", "PAUSED", timeout=PATIENT_SECS * 1000)
    assert cluster.step_of(run) == held + 1

    # Everything is there again after a reload, and the same in a second tab.
    until(lambda: points(page) == held + 1, secs=5, what="every point is on the chart")
    page.reload()
    until(lambda: points(page) == held + 1, secs=10, what="every point is back after a reload")
    second = page.context.new_page()
    second.goto(f"/runs/{run}")
    until(lambda: points(second) == held + 1, secs=10, what="a second tab shows the same")
    assert step(second) == step(page) == held + 1
    second.close()

    page.get_by_test_id("run-resume").click()
    expect(state(page)).to_have_attribute("data-state", "RUNNING", timeout=PATIENT_SECS * 1000)
    until(lambda: step(page) > held + 2, secs=PATIENT_SECS, what="it goes on")

    # Inside the run that trains, without a checkpoint: attention first, then text.
    page.get_by_test_id("look-inside").click()
    expect(page.get_by_test_id("inside-step")).to_be_visible(timeout=PATIENT_SECS * 1000)
    assert int(page.get_by_test_id("inside-step").get_attribute("data-step") or 0) > held
    page.get_by_test_id("inside-text").fill("The cat sat on the mat.")
    page.get_by_test_id("analyse").click()
    attention_map = page.get_by_test_id("attention-map")
    expect(attention_map).to_have_attribute("data-tokens", "7", timeout=30_000)
    expect(attention_map).to_have_attribute("data-pending", "false", timeout=30_000)
    attention_map.hover(position={"x": 30, "y": 60})
    expect(page.get_by_test_id("row-sum")).to_contain_text("1.000")

    page.get_by_test_id("prompt").fill("ROMEO: I have")
    page.get_by_test_id("max-tokens").fill("12")
    page.get_by_test_id("generate").click()
    expect(page.get_by_test_id("generated-text")).to_have_attribute(
        "data-tokens", "12", timeout=PATIENT_SECS * 1000
    )

    # Nothing was saved by looking.
    saved = cluster.http.get(f"/api/runs/{run}/checkpoints").json()
    assert saved.get("checkpoints", []) == []
    page.goto(f"/runs/{run}")
    page.get_by_test_id("run-stop").click()
    expect(state(page)).to_have_attribute("data-state", "STOPPED", timeout=30_000)
    page.goto("/runs")
    row = page.locator(f'[data-testid="run-row"][data-run="{run}"]')
    expect(row.get_by_test_id("run-state")).to_have_attribute("data-state", "STOPPED")


def test_attention_rows_sum_to_one_to_the_last_row(page: Page, cluster: Cluster) -> None:
    """What the page draws comes from this answer: every row of every head is checked."""
    run = cluster.start_run(data={"corpus": "tiny-shakespeare"}, budget={"steps": 500})
    until(lambda: cluster.step_of(run) >= 2, secs=PATIENT_SECS, what="two steps")
    peek = cluster.verb(run, "peek").json()["peek"]
    model = cluster.http.post("/api/models:load", json={"source": peek["name"]}).json()["model"]
    answer = cluster.http.post(
        f"/api/{model['name']}:attention", json={"text": "To be, or not to be", "layers": [0, 5]}
    )
    weights = answer.json()["weights"]
    numbers = np.frombuffer(base64.b64decode(weights["data"]), dtype="<f4")
    maps = numbers.reshape(weights["shape"])
    assert maps.shape[:2] == (2, 5)
    assert np.abs(maps.sum(axis=-1) - 1).max() < 1e-5
    assert np.triu(maps, k=1).max() == 0
    assert cluster.verb(run, "stop").status_code == 200


def test_a_saved_checkpoint_is_listed_and_can_be_resumed(page: Page, cluster: Cluster) -> None:
    run = cluster.start_run(data={"corpus": "tiny-shakespeare"}, budget={"steps": 500})
    page.goto(f"/runs/{run}")
    until(lambda: step(page) >= 2, secs=PATIENT_SECS, what="two steps")
    page.get_by_test_id("run-stop-save").click()
    expect(state(page)).to_have_attribute("data-state", "STOPPED", timeout=PATIENT_SECS * 1000)
    stopped_at = cluster.step_of(run)
    page.goto("/checkpoints")
    row = page.get_by_test_id("checkpoint-row").filter(has_text=run)
    expect(row).to_have_count(1)
    row.get_by_test_id("checkpoint-verify").click()
    expect(row.get_by_test_id("checkpoint-verdict")).to_contain_text("whole")
    page.goto(f"/runs/{run}")
    page.get_by_test_id("run-resume").click()
    until(lambda: step(page) > stopped_at, secs=PATIENT_SECS, what="steps after the checkpoint")
    page.get_by_test_id("run-stop").click()
    expect(state(page)).to_have_attribute("data-state", "STOPPED", timeout=PATIENT_SECS * 1000)


def test_a_loss_that_is_no_number_ends_the_run_and_says_what_to_try(
    page: Page, cluster: Cluster
) -> None:
    run = cluster.start_run(
        data={"corpus": "tiny-shakespeare"},
        budget={"steps": 500},
        optimizer={"learningRate": 1e8, "clip": 0},
        schedule={"warmupSteps": 0},
    )
    page.goto(f"/runs/{run}")
    expect(state(page)).to_have_attribute("data-state", "FAILED", timeout=PATIENT_SECS * 1000)
    expect(page.get_by_test_id("state-reason").first).to_contain_text("lower learning rate")
    series = cluster.http.get(f"/api/runs/{run}/series", params={"series": "loss"})
    assert "NaN" not in series.text
    assert "Infinity" not in series.text


def test_the_form_says_what_is_wrong_at_the_field(page: Page, cluster: Cluster) -> None:
    before = len(cluster.http.get("/api/runs").json().get("runs", []))
    page.goto("/runs/new")
    page.get_by_test_id("field-optimizer.learning_rate").fill("-1")
    expect(
        page.get_by_text("optimizer.learning_rate").or_(page.get_by_text("above 0")).first
    ).to_be_visible()
    expect(page.get_by_test_id("start-run")).to_be_disabled()
    assert len(cluster.http.get("/api/runs").json().get("runs", [])) == before
