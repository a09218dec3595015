"""How long a step takes to reach a browser, and a click to reach the loop, with training flat out.

The peer, run beside it in the same minute on the same machine: a plain WebSocket echo on loopback,
which is what the transport alone costs here. `make bench t=tests/benchmarks/test_live_latency.py`
"""

from __future__ import annotations

import asyncio
import gzip
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psutil
import pytest
import websockets
from playwright.sync_api import Browser, Response, sync_playwright

from tests.e2e.conftest import browser_program
from tests.support.cluster import Cluster, until

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

WATCH_STEPS = 120
CONTROLS = 10
LIVE = '[data-testid="connection-status"][data-state="live"]'


def milliseconds(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    return f"p50 {statistics.median(ordered) * 1e3:.1f} ms, p95 {p95 * 1e3:.1f} ms"


def reached(cluster: Cluster, run: str, step: int) -> bool:
    return cluster.step_of(run) >= step


async def echo_secs(count: int) -> list[float]:
    """Round trips of 200 bytes through a WebSocket server in this process."""

    async def echo(connection: websockets.ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    found = []
    async with websockets.serve(echo, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with websockets.connect(f"ws://127.0.0.1:{port}") as client:
            for _ in range(count):
                began = time.perf_counter()
                await client.send(b"x" * 200)
                await client.recv()
                found.append(time.perf_counter() - began)
    return found


def first_load_ms(chromium: Browser, address: str) -> float:
    """Until the empty lab is live, in a fresh profile."""
    page = chromium.new_page(base_url=address)
    page.goto("/")
    page.wait_for_selector(LIVE)
    live_ms = float(page.evaluate("performance.now()"))
    page.close()
    return live_ms


def script_bytes(chromium: Browser, address: str) -> int:
    """Of the first load, compressed. A visit of its own: compressing takes time."""
    page = chromium.new_page(base_url=address)
    scripts: dict[str, int] = {}

    def note(response: Response) -> None:
        if response.request.resource_type == "script":
            scripts[response.url] = len(gzip.compress(response.body(), 6))

    page.on("response", note)
    page.goto("/")
    page.wait_for_selector(LIVE)
    page.close()
    return sum(scripts.values())


def test_step_to_browser_and_click_to_loop(tmp_path: Path) -> None:
    with Cluster(tmp_path / "lab") as cluster, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browser_program(), args=["--no-sandbox"]
        )
        loads = sorted(first_load_ms(chromium, cluster.address) for _ in range(5))
        script = script_bytes(chromium, cluster.address)
        page = chromium.new_page(base_url=cluster.address)
        run = cluster.start_run(data={"corpus": "tiny-shakespeare"}, budget={"steps": 2000})
        clicked = time.perf_counter()
        page.goto(f"/runs/{run}")
        chart = page.get_by_test_id("loss-chart")
        until(lambda: int(chart.get_attribute("data-points") or 0) > 0, secs=180, what="a point")
        first_point_secs = time.perf_counter() - clicked
        until(lambda: cluster.step_of(run) >= WATCH_STEPS, secs=300, what="enough steps")
        status = page.get_by_test_id("connection-status")
        p50, p95 = (
            status.get_attribute(name) for name in ("data-latency-ms", "data-latency-p95-ms")
        )
        with ThreadPoolExecutor(1) as aside:  # playwright holds this thread's event loop
            echo = aside.submit(asyncio.run, echo_secs(200)).result()

        accepted, overshoot = [], []
        for _ in range(CONTROLS):
            began = time.perf_counter()
            answer = cluster.verb(run, "pause").json()["run"]
            accepted.append(time.perf_counter() - began)
            at = int(answer["stats"]["step"])
            until(lambda: cluster.run(run)["state"] == "RUN_STATE_PAUSED", secs=30, what="paused")
            overshoot.append(cluster.step_of(run) - at)
            began = time.perf_counter()
            cluster.verb(run, "resume")
            accepted.append(time.perf_counter() - began)
            goal = at + 2
            until(partial(reached, cluster, run, goal), secs=30, what="it goes on")
        began = time.perf_counter()
        page.reload()
        recorded = cluster.step_of(run)
        until(
            lambda: int(chart.get_attribute("data-points") or 0) >= recorded,
            secs=10,
            what="the whole curve after a reload",
        )
        reload_secs = time.perf_counter() - began
        chromium.close()
    print(
        f"\nload {psutil.getloadavg()[0]:.1f}; first load: {script / 1e3:.0f} kB of script, gzip, "
        f"live after {loads[len(loads) // 2]:.0f} ms (least {loads[0]:.0f})"
    )
    print(f"run created to first point on the chart: {first_point_secs:.1f} s")
    print(f"step to what the page draws from, training flat out: p50 {p50} ms, p95 {p95} ms")
    print(f"  beside it, a bare WebSocket round trip: {milliseconds(echo)}")
    print(f"control accepted: {milliseconds(accepted)}; steps after it: {overshoot}")
    print(f"reload to the whole curve of {recorded} points: {reload_secs:.2f} s")
    assert max(overshoot) <= 1
