"""The logit lens in a real browser: asked about when it is in sight, and about what is in sight."""

from __future__ import annotations

import json
import re
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.e2e.test_views import PATIENT_MS, TINY, saved_run
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

CELL_PX, NAMES_PX, PART_TOKENS = 76, 64, 32
WORDS = ("one", "two", "three", "four", "five", "six", "seven", "red", "blue", "green")
TEXT = " ".join(WORDS * 5)  # a token each


def test_the_lens_is_asked_in_parts_as_they_come_in_sight(page: Page, cluster: Cluster) -> None:
    run = saved_run(cluster, steps=2, model=TINY)
    asked: list[tuple[str, str]] = []

    def note(request: Request) -> None:
        if request.url.endswith(":analyse"):
            asked.append((request.url, request.post_data or ""))

    def parts() -> list[int]:
        """Where the parts begin that were asked of the page's model, in order; another one, of the
        step beside, is asked ahead."""
        questions = [json.loads(body) for url, body in asked if url == asked[0][0]]
        return [one["lens"].get("first", 0) for one in questions if "lens" in one]

    held: list[Route] = []

    page.on("request", note)
    # What the run recorded stands above the lens: it takes its room before it is there.
    page.route(re.compile("/probes[?]"), lambda route: held.append(route))
    page.goto("/inside?" + urlencode({"run": run, "at": 2, "text": TEXT}))
    ribbon = page.get_by_test_id("token-ribbon")
    expect(ribbon).to_have_attribute("data-pending", "false", timeout=PATIENT_MS)
    expect(page.get_by_test_id("attention-map")).to_have_attribute(
        "data-pending", "false", timeout=PATIENT_MS
    )
    panel = page.get_by_test_id("lens")
    expect(panel).to_contain_text("computed when in sight")
    assert asked
    assert held
    for route in held:
        route.continue_()
    page.unroute_all()
    expect(page.get_by_test_id("token-losses-map")).to_be_visible(timeout=PATIENT_MS)
    expect(panel).to_contain_text("computed when in sight")
    assert parts() == []

    panel.scroll_into_view_if_needed()
    table = page.get_by_test_id("lens-table")
    expect(table).to_have_attribute("data-pending", "false", timeout=PATIENT_MS)
    expect(table).to_have_attribute("data-tokens", str(len(TEXT.split())))
    assert parts() == [0]

    # The end of the text is another part; a cell of it reads as it does to who asks for all of it.
    with page.expect_request(lambda request: parts() == [0, PART_TOKENS], timeout=PATIENT_MS):
        table.evaluate("(canvas) => canvas.parentElement.scrollTo({ left: 1e6 })")
    expect(table).to_have_attribute("data-pending", "false", timeout=PATIENT_MS)
    scrolled = table.evaluate("(canvas) => canvas.parentElement.scrollLeft")
    place = len(TEXT.split()) - 2
    last_row = 1 + TINY["layers"]
    table.hover(position={"x": NAMES_PX + place * CELL_PX + 9 - scrolled, "y": 20 * last_row + 9})
    expect(panel).to_contain_text(re.compile(rf"layer {TINY['layers'] - 1}: .+ [\d.]+ %"))
    assert parts() == [0, PART_TOKENS]
