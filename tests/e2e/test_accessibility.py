"""Every page in both themes is clean for axe, which finds the mechanical part of what shuts people
out: names, roles, contrast, order of headings, what can be reached."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from lab import folders
from tests.support.cluster import Cluster, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

AXE = folders.checkout() / "frontend/node_modules/axe-core/axe.min.js"
# Best practices beside the rules of WCAG are in: they are cheap to keep.
ASK = """() => axe.run(document, {resultTypes: ["violations"]}).then((result) =>
  result.violations.map(({id, help, nodes}) => ({
    id, help, where: nodes.slice(0, 5).map((node) => node.target.join(" ") + " " + node.html),
  })))"""


def violations(page: Page) -> list[dict[str, Any]]:
    # Evaluated rather than added as an element, which the content security policy refuses.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate(ASK)
    return found


@pytest.fixture(scope="module")
def run(cluster: Cluster) -> str:
    """A run that trained a little: with curves, samples, an evaluation, a checkpoint, a log."""
    answer = cluster.http.post(
        "/api/runs",
        json={
            "preset": "nano",
            "tags": ["axe"],
            "prediction": {"steps": [1, 12], "losses": [10, 8]},
            "overrides": {
                "data": {"corpus": "tiny-shakespeare"},
                "model": {"layers": 2, "width": 32, "heads": 2, "context": 32},
                "budget": {"steps": 12},
                "hooks": {
                    "sampleEvery": 6,
                    "evaluateEvery": 6,
                    "healthEvery": 2,
                    "checkpointOnStop": True,
                },
            },
        },
    )
    run: str = answer.json()["run"]["name"].removeprefix("runs/")
    until(lambda: cluster.run(run).get("endTime"), secs=300, what="the run's end")
    return run


PAGES = {
    "runs": ("/runs", "runs-table"),
    "new run": ("/runs/new", "preflight"),
    "run": ("/runs/{run}?first=1", "loss-chart"),
    "no such run": ("/runs/nobody", "problem"),
    "nothing to compare": ("/compare", "empty-state"),
    "compare": ("/compare?runs={run}&group=seed&base={run}", "compare-chart"),
    "inside": ("/inside?run={run}", "attention-cell"),
    "checkpoints": ("/checkpoints", "checkpoint-row"),
    "text": ("/text", "corpus-card"),
    "system": ("/system", "process-trainer"),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_clean(
    browser: Browser, cluster: Cluster, run: str, name: str, theme: str
) -> None:
    address, shown = PAGES[name]
    context = browser.new_context(
        base_url=cluster.address,
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(address.format(run=run))
    expect(page.get_by_test_id("connection-status")).to_have_attribute("data-state", "live")
    expect(page.get_by_test_id(shown).first).to_be_visible(timeout=30_000)
    # What is folded away counts too.
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    found = violations(page)
    context.close()
    assert found == []


def test_axe_would_say_so(browser: Browser, cluster: Cluster) -> None:
    """The checks above see something: a page with faults is not clean."""
    context = browser.new_context(base_url=cluster.address)
    page = context.new_page()
    page.goto("/runs")
    expect(page.get_by_test_id("new-run").first).to_be_visible()
    page.evaluate("document.querySelector('#page').innerHTML = '<img src=x><input>'")
    found = {each["id"] for each in violations(page)}
    context.close()
    assert {"image-alt", "label"} <= found
