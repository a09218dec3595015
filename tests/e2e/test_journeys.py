"""Ways through the dashboard that newcomers take: by the palette, by YAML, with a guess, side by
side, changing a run while it trains. And how much of it a first visit has to load."""

from __future__ import annotations

import gzip
import re
import shlex

import pytest
from playwright.sync_api import Page, Response, expect

from tests.support.cluster import Cluster, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PATIENT_SECS = 120
MOST_SCRIPT_BYTES = 250_000  # compressed, for the first page
TINY = {
    "data": {"corpus": "tiny-shakespeare"},
    "model": {"layers": 2, "width": 32, "heads": 2, "context": 32},
}


def ended(cluster: Cluster, run: str) -> bool:
    return bool(cluster.run(run).get("endTime"))


def test_the_palette_leads_to_a_form_that_reads_yaml_and_takes_a_guess(
    page: Page, cluster: Cluster
) -> None:
    page.goto("/runs")
    expect(page.get_by_test_id("new-run").first).to_be_visible()  # before that nobody hears keys
    page.keyboard.press("Control+k")
    page.get_by_test_id("palette-input").fill("new run")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/new")

    # What it would take is measured by real steps, and says so until they are made.
    expect(page.get_by_test_id("parameter-breakdown").first).to_contain_text("token embedding")
    page.locator("[data-testid=as-yaml] summary").click()
    page.get_by_test_id("yaml-text").fill(
        "preset: nano\n"
        "data: {corpus: tiny-shakespeare}\n"
        "model: {layers: 2, width: 32, heads: 2, context: 32}\n"
        "budget: {steps: 5000}\n"
        "optimizer: {beta2: 0.99}\n"
    )
    page.get_by_test_id("yaml-read").click()
    expect(page.get_by_test_id("field-length")).to_have_value("5000")
    expect(page.get_by_test_id("also-set")).to_contain_text("optimizer.beta2 = 0.99")
    expect(page.get_by_test_id("preflight-time").first).to_be_visible(timeout=PATIENT_SECS * 1000)

    page.locator("[data-testid=predict] summary").click()
    sketch = page.get_by_test_id("loss-sketch")
    sketch.scroll_into_view_if_needed()
    box = sketch.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 90, steps=8)
    page.mouse.up()
    assert int(sketch.get_attribute("data-points") or 0) > 30
    page.get_by_test_id("field-tags").fill("guessed, yaml")
    page.get_by_test_id("start-run").click()
    page.wait_for_url(re.compile(r"/runs/nano-[a-z0-9]+"))
    run_id = page.url.rsplit("/", 1)[1]

    run = cluster.run(run_id)
    assert run["tags"] == ["guessed", "yaml"]
    assert run["spec"]["optimizer"]["beta2"] == 0.99
    assert run["prediction"]["steps"][0] == 1
    assert run["prediction"]["losses"] == sorted(run["prediction"]["losses"], reverse=True)
    expect(page.get_by_test_id("prediction-note")).to_contain_text(
        "nats on average", timeout=PATIENT_SECS * 1000
    )

    # Changed while it trains: in force at the next step, told in the log, kept with the run.
    page.get_by_test_id("live-rate-scale").fill("0.5")
    page.get_by_test_id("live-apply").click()
    expect(page.get_by_test_id("facts")).to_contain_text(
        "changed: learning rate × 0.5", timeout=PATIENT_SECS * 1000
    )
    assert cluster.run(run_id)["live"] == {"learningRateScale": 0.5}
    cluster.verb(run_id, "stop")
    until(lambda: ended(cluster, run_id), secs=PATIENT_SECS, what="the run's end")


def test_two_runs_side_by_side_and_a_link_that_shows_the_same(page: Page, cluster: Cluster) -> None:
    runs = []
    for rate, seed in ((0.001, 1), (0.004, 1), (0.004, 2)):
        data = {"corpus": "tiny-shakespeare", "seed": seed}
        spec = {**TINY, "data": data, "optimizer": {"learningRate": rate}}
        run = cluster.start_run(**spec, budget={"steps": 8, "precision": "PRECISION_FP32"})
        until(lambda: ended(cluster, run), secs=PATIENT_SECS, what="a run's end")  # noqa: B023
        runs.append(run)
    page.goto("/runs")
    for run in runs:
        row = page.locator(f'[data-testid="run-row"][data-run="{run}"]')
        row.get_by_test_id("run-choose").check()
    page.get_by_test_id("compare").click()
    page.wait_for_url("**/compare?**")
    chart = page.get_by_test_id("compare-chart")
    until(
        lambda: int(chart.get_attribute("data-points") or 0) == 8,
        secs=PATIENT_SECS,
        what="every point is drawn",
    )
    expect(page.get_by_text("optimizer.learning_rate")).to_be_visible()
    page.get_by_test_id("compare-solo").first.click()
    link = page.url
    page.goto("/runs")
    page.goto(link)
    expect(page.get_by_test_id("compare-solo").first).to_have_attribute("aria-pressed", "true")

    # What was chosen is taken back and done again; two runs that differ by the seed are one group.
    page.get_by_test_id("compare-solo").first.click()  # the others are there again
    row = page.locator(f'[data-testid="compare-row"][data-run="{runs[0]}"]')
    row.get_by_test_id("compare-baseline").check()
    expect(page.get_by_test_id("difference-chart")).to_be_visible()
    page.keyboard.press("Control+z")
    expect(page.get_by_test_id("difference-chart")).to_have_count(0)
    page.keyboard.press("Control+Shift+z")
    expect(page.get_by_test_id("difference-chart")).to_be_visible()
    page.get_by_test_id("compare-group").select_option("seed")
    expect(page.get_by_text(re.compile("and other seeds”$"))).to_have_count(2)


def test_a_run_is_zoomed_copied_deleted_and_taken_back(page: Page, cluster: Cluster) -> None:
    """One run for all of it: each start of a worker costs seconds."""
    spec = {**TINY, "optimizer": {"learningRate": 0.002, "beta2": 0.99}}
    run = cluster.start_run(**spec, budget={"steps": 8}, hooks={"checkpointOnStop": True})
    until(lambda: ended(cluster, run), secs=PATIENT_SECS, what="the run's end")
    until(lambda: cluster.run(run).get("latestCheckpoint"), secs=PATIENT_SECS, what="a checkpoint")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/runs/{run}")
    chart = page.get_by_test_id("loss-chart")
    until(
        lambda: int(chart.get_attribute("data-points") or 0) == 8,
        secs=PATIENT_SECS,
        what="every point is drawn",
    )

    # A zoom is taken back.
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 60, steps=4)
    page.mouse.up()
    expect(page.get_by_test_id("back-to-live").first).to_be_visible()
    page.keyboard.press("Control+z")
    expect(page.get_by_test_id("back-to-live")).to_have_count(0)

    # The copied command runs as it is and makes the same run.
    page.get_by_test_id("export").click()
    page.get_by_test_id("export-code").click()
    expect(page.get_by_test_id("export-note")).to_have_text("command copied")
    command = shlex.split(page.evaluate("navigator.clipboard.readText()").replace("\\\n", " "))
    assert command[0] == "lab"
    cluster.lab(*command[1:], "--name", "as-copied")
    assert cluster.run("as-copied")["spec"] == cluster.run(run)["spec"]
    cluster.stop_runs()

    # Deleted, it can be taken back, its checkpoint with it; or it is gone.
    def saved() -> list[object]:
        found = cluster.http.get(f"/api/runs/{run}/checkpoints").json()
        return list(found.get("checkpoints", []))

    page.goto("/runs")
    row = page.locator(f'[data-testid="run-row"][data-run="{run}"]')
    row.get_by_test_id("run-delete").click()
    expect(row).to_have_count(0)
    until(lambda: not saved(), secs=PATIENT_SECS, what="its checkpoint followed")
    page.get_by_test_id("undo-delete-run").get_by_test_id("run-restore").click()
    expect(row).to_be_visible()
    assert len(saved()) == 1
    page.goto(f"/runs/{run}")
    page.get_by_test_id("run-delete").click()
    expect(page.get_by_text("is in the trash")).to_be_visible()
    page.goto("/runs")
    trashed = page.locator(f'[data-testid="trashed-run"][data-run="{run}"]')
    trashed.get_by_test_id("run-delete-for-good").click()
    page.get_by_role("button", name="Delete for good").last.click()
    expect(trashed).to_have_count(0)
    assert cluster.http.get(f"/api/runs/{run}").status_code == 404


def test_columns_are_chosen_and_the_choice_is_taken_back(page: Page, cluster: Cluster) -> None:
    page.goto("/runs?sort=-loss&q=nano")
    expect(page.get_by_test_id("runs-filter")).to_have_value("nano")
    loss = page.locator("th", has=page.get_by_test_id("sort-loss"))
    expect(loss).to_have_attribute("aria-sort", "descending")
    page.get_by_test_id("columns").click()
    page.get_by_test_id("column-corpus").click()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("sort-corpus")).to_have_count(0)
    page.keyboard.press("Control+z")
    expect(page.get_by_test_id("sort-corpus")).to_be_visible()


def test_a_first_visit_loads_little_script(page: Page, cluster: Cluster) -> None:
    scripts: dict[str, int] = {}

    def note(response: Response) -> None:
        if response.request.resource_type == "script":
            scripts[response.url] = len(gzip.compress(response.body(), 6))

    page.on("response", note)
    page.goto("/")
    expect(page.get_by_test_id("new-run").first).to_be_visible()
    expect(page.get_by_test_id("connection-status")).to_have_attribute("data-state", "live")
    total = sum(scripts.values())
    print(f"first load: {total / 1000:.0f} kB of script, gzip, in {len(scripts)} files")
    assert len(scripts) > 1
    assert total <= MOST_SCRIPT_BYTES
