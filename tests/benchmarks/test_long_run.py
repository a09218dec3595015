"""A run of a million steps in the dashboard: how long until its curve is there, and until a zoom is
refined; and whether a spike of one step is seen. `make bench t=tests/benchmarks/test_long_run.py`

The journal is filled with steps that nobody trained, by the code that fills it in a run; nothing
else is made up: trainer, gateway and Chromium are the real ones.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import apsw
import httpx
import numpy as np
import psutil
import pytest
from playwright.sync_api import CDPSession, Page, sync_playwright

from services.trainer.journal import journal_tables, pyramid
from services.trainer.journal.writer import connect
from tests.e2e.conftest import browser_program
from tests.support.cluster import Cluster, until

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

STEPS = 1_000_000
SPIKE_STEP, SPIKE_LOSS = 777_777, 60.0
ROUNDS = 5
PART = {"stepFrom": 700_000, "stepTo": 850_000}


def fill(path: Path) -> None:
    """A falling, noisy loss with one spike."""
    steps = np.arange(1, STEPS + 1)
    noise = np.random.default_rng(7).normal(0, 0.1, STEPS)
    loss = 3 + 7.8 * np.exp(-steps / 50_000) + noise
    loss[SPIKE_STEP - 1] = SPIKE_LOSS
    connection = connect(path, journal_tables.SCHEMA)
    rows = (
        (step, value, 1.0, 1e-3, 20_000.0, 0.05, 500 << 20, step * 1024, step * 0.05)
        for step, value in zip(steps.tolist(), loss.tolist(), strict=True)
    )
    with connection:
        connection.execute("DELETE FROM steps")
        pyramid.forget(connection, 0)
        marks = ", ".join("?" * (1 + len(pyramid.METRICS)))
        columns = ", ".join(pyramid.METRICS)
        connection.executemany(f"INSERT INTO steps (step, {columns}) VALUES ({marks})", rows)
        _close_buckets(connection)
    connection.close()


def _close_buckets(connection: apsw.Connection) -> None:
    for bucket in range((STEPS + 1) // pyramid.BUCKET_STEPS):
        pyramid.close(connection, bucket)


def quickest(http: httpx.Client, address: str, **range_: int) -> float:
    """Seconds of the quickest of several answers: what it takes where nothing is in the way."""
    found = []
    for _ in range(10):
        began = time.perf_counter()
        assert http.get(address, params={**range_, "maxPoints": 4_000}).is_success
        found.append(time.perf_counter() - began)
    return min(found)


def script_secs(devtools: CDPSession) -> float:
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "ScriptDuration"))


def highest(page: Page) -> float:
    """The largest value the loss chart was given to draw."""
    return float(page.get_by_test_id("loss-chart").get_attribute("data-highest") or "nan")


def test_a_million_steps(tmp_path: Path) -> None:
    with Cluster(tmp_path / "lab") as cluster, sync_playwright() as playwright:
        run = cluster.start_run(
            data={"corpus": "tiny-shakespeare"},
            model={"layers": 1, "width": 16, "heads": 1, "context": 16},
            budget={"steps": 2},
        )
        until(lambda: cluster.run(run).get("endTime"), secs=120, what="the run's end")
        fill(next(cluster.home.glob(f"**/{run}/journal.db")))
        chromium = playwright.chromium.launch(
            executable_path=browser_program(), args=["--no-sandbox"]
        )
        address = f"/api/runs/{run}/series"
        whole, part = (quickest(cluster.http, address, **of) for of in ({}, PART))
        firsts, zooms, scripts = [], [], []
        for _ in range(ROUNDS):
            page = chromium.new_page(base_url=cluster.address)
            devtools = page.context.new_cdp_session(page)
            devtools.send("Performance.enable")
            page.goto("/runs")  # the scripts are there; what is measured is the run's page
            page.get_by_test_id("runs-table").wait_for()
            in_scripts = script_secs(devtools)
            began = time.perf_counter()
            page.get_by_role("link", name=run).first.click()
            page.wait_for_selector('[data-testid="loss-chart"]:not([data-points="0"])')
            firsts.append(time.perf_counter() - began)
            scripts.append(script_secs(devtools) - in_scripts)
            assert highest(page) == SPIKE_LOSS
            box = page.get_by_test_id("loss-chart").bounding_box()
            assert box is not None
            middle = box["y"] + box["height"] / 2
            page.mouse.move(box["x"] + box["width"] * 0.7, middle)
            page.mouse.down()
            page.mouse.move(box["x"] + box["width"] * 0.85, middle, steps=4)
            with page.expect_response(lambda answer: "/series?" in answer.url) as refined:
                page.mouse.up()
                zoomed = time.perf_counter()
            refined.value.finished()
            zooms.append(time.perf_counter() - zoomed)
            assert highest(page) == SPIKE_LOSS
            page.close()
        chromium.close()
    print(
        f"\nload {psutil.getloadavg()[0]:.1f}; the least of several: the whole series asked for by "
        f"REST {whole * 1e3:.0f} ms, a zoom {part * 1e3:.0f} ms, scripts until the curve is there "
        f"{min(scripts) * 1e3:.0f} ms, curve there {min(firsts) * 1e3:.0f} ms, zoom refined "
        f"{min(zooms) * 1e3:.0f} ms"
    )
    print(
        f"\n{STEPS:,} stored steps: curve there after {statistics.median(firsts) * 1e3:.0f} ms "
        f"(worst {max(firsts) * 1e3:.0f}), zoom refined after "
        f"{statistics.median(zooms) * 1e3:.0f} ms (worst {max(zooms) * 1e3:.0f}, of which the page "
        "waits 60 for the hand to settle)"
    )
