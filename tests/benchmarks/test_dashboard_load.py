"""A run's page, all of its charts in sight, while 200 facts a second arrive.

`make bench t=tests/benchmarks/test_dashboard_load.py`; LOAD_SECS=600 before it for ten minutes.

Link, journal, bus, gateway and Chromium are the real ones; only nobody trains (paced_worker). Times
are measured twice, because the machine may be busy: by the clock, as the page feels it, and as the
processor time of the page's main thread.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import CDPSession, Page, sync_playwright

from lab import folders
from tests.benchmarks.paced_worker import FIRST_STEPS
from tests.e2e.conftest import browser_program
from tests.support.cluster import Cluster, until
from tests.support.nats import free_port

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1_200)]

FACTS_PER_SEC = 200
SECS = float(folders.child_environment().get("LOAD_SECS", "60"))
TRACE_SECS = 10.0
LEAST_CHARTS = 12
MOST_REASONS = 10
MIB = 1 << 20

# Into arrays made beforehand, so that measuring does not show in the heap.
WATCH = """
window.watched = { tasks: [], why: [], frames: new Float32Array(200_000), count: 0, since: 0 };
new PerformanceObserver((list) => {
  for (const { startTime, duration } of list.getEntries()) {
    if (startTime > watched.since) watched.tasks.push([startTime, duration]);
  }
}).observe({ type: "longtask" });
// What a frame over 50 ms was made of, as far as the browser says.
new PerformanceObserver((list) => {
  for (const frame of list.getEntries()) {
    if (frame.startTime <= watched.since) continue;
    const scripts = frame.scripts.map((one) => ({ ms: one.duration, what: [one.invoker,
      one.sourceFunctionName, one.sourceURL.split("/").pop(), one.sourceCharPosition].join(" ") }));
    const styled = frame.styleAndLayoutStart;
    watched.why.push({ at: frame.startTime, ms: frame.duration, scripts,
      render: styled > 0 ? frame.startTime + frame.duration - styled : 0 });
  }
}).observe({ type: "long-animation-frame" });
let before = performance.now();
requestAnimationFrame(function frame(now) {
  watched.frames[watched.count++ % watched.frames.length] = now - before;
  before = now;
  requestAnimationFrame(frame);
});
"""
IN_SIGHT = """
() => [...document.querySelectorAll("main canvas, [aria-label='Newest numbers'] svg")].filter(
  (one) => {
    const { top, bottom, width } = one.getBoundingClientRect();
    return width > 0 && top >= 0 && bottom <= innerHeight;
  },
).length
"""


def fill(page: Page) -> None:
    """Waits until the page has as many points as it keeps and thins them: it never holds less."""
    chart, most = page.get_by_test_id("loss-chart"), 0

    def thinned() -> bool:
        nonlocal most
        points = int(chart.get_attribute("data-points") or 0)
        most = max(most, points)
        return points < most

    until(thinned, secs=240, what="the page is full")


@dataclass(frozen=True)
class Heap:
    """After a full collection: objects, what typed arrays hold, and what the engine compiled. The
    last grows for minutes, as more functions are found worth it; the page has no say in it."""

    objects_bytes: int
    arrays_bytes: int
    code_bytes: int

    @property
    def bytes(self) -> int:
        return self.objects_bytes + self.arrays_bytes

    def __str__(self) -> str:
        parts = (self.objects_bytes, self.arrays_bytes, self.code_bytes)
        return " + ".join(f"{part / MIB:.1f}" for part in parts) + " MiB"


def heap_of(devtools: CDPSession) -> Heap:
    for _ in range(2):  # what finalizers let go of is found by the second
        devtools.send("HeapProfiler.collectGarbage")
    chunks: list[str] = []

    def take(event: dict[str, str]) -> None:
        chunks.append(event["chunk"])

    devtools.on("HeapProfiler.addHeapSnapshotChunk", take)
    devtools.send("HeapProfiler.takeHeapSnapshot", {"reportProgress": False})
    devtools.remove_listener("HeapProfiler.addHeapSnapshotChunk", take)
    found = json.loads("".join(chunks))
    meta, nodes, strings = found["snapshot"]["meta"], found["nodes"], found["strings"]
    fields, kinds = meta["node_fields"], meta["node_types"][0]
    kind, name, size = (fields.index(field) for field in ("type", "name", "self_size"))
    objects = arrays = code = 0
    for at in range(0, len(nodes), len(fields)):
        bytes_ = nodes[at + size]
        match kinds[nodes[at + kind]]:
            case "code":
                code += bytes_
            case "native":  # the browser's own, the tools' among them
                arrays += bytes_ * (strings[nodes[at + name]] == "system / JSArrayBufferData")
            case _:
                objects += bytes_
    return Heap(objects, arrays, code)


def metrics_of(devtools: CDPSession) -> dict[str, float]:
    answer = devtools.send("Performance.getMetrics")
    return {each["name"]: each["value"] for each in answer["metrics"]}


@contextmanager
def paced_cluster(home: Path) -> Iterator[Cluster]:
    """A cluster whose gateway asks a paced trainer; its own trainer idles beside it."""
    cluster = Cluster(home)
    paced = home / "paced"
    paced.mkdir(parents=True)
    (paced / "assets").symlink_to(home / "assets")
    told = cluster.environment | {"LAB_HOME": str(paced), "LAB_TRAINER__METRICS_PORT": "0"}
    cluster.environment["LAB_TRAINER__PORT"] = str(free_port())
    command = [sys.executable, "-m", "tests.benchmarks.paced_trainer", str(FACTS_PER_SEC)]
    with (paced / "log").open("wb") as log:
        trainer = subprocess.Popen(command, env=told, stdout=log, stderr=log)
    try:
        with cluster:
            yield cluster
    finally:
        trainer.terminate()
        trainer.wait(30)


@dataclass(frozen=True)
class Task:
    """One task of the page's main thread: by the clock, and what of it was processor time."""

    ms: float
    cpu_ms: float


def reasons(tasks: list[list[float]], why: list[dict[str, Any]]) -> list[str]:
    """What each long task was: its scripts, styles and painting, and what neither accounts for,
    which is a collection of garbage or a processor that others had."""
    lines = []
    for begin, ms in sorted(tasks, key=lambda task: -task[1])[:MOST_REASONS]:
        frame = next(
            (one for one in why if one["at"] < begin + ms and begin < one["at"] + one["ms"]), None
        )
        if frame is None:
            lines.append(f"{ms:.0f} ms: in no long frame, so beside drawing")
            continue
        told = [f"{one['ms']:.0f} ms {one['what']}" for one in frame["scripts"]]
        scripts = sum(one["ms"] for one in frame["scripts"])
        rest = frame["ms"] - scripts - frame["render"]
        lines.append(
            f"{ms:.0f} ms, in a frame of {frame['ms']:.0f}: scripts {scripts:.0f} "
            f"({'; '.join(told) or 'none over 5'}), styles to paint {frame['render']:.0f}, "
            f"neither {rest:.0f}"
        )
    return lines


@contextmanager
def traced(page: Page, found: list[Task]) -> Iterator[None]:
    """Every task of the page's main thread goes into `found`."""
    devtools = page.context.new_cdp_session(page)
    events: list[dict[str, Any]] = []
    done: list[object] = []
    devtools.on("Tracing.dataCollected", lambda answer: events.extend(answer["value"]))
    devtools.on("Tracing.tracingComplete", lambda answer: done.append(answer))
    devtools.send(
        "Tracing.start",
        {
            "transferMode": "ReportEvents",
            "traceConfig": {"includedCategories": ["toplevel", "disabled-by-default-lighthouse"]},
        },
    )
    yield
    devtools.send("Tracing.end")
    while not done:
        page.wait_for_timeout(100)
    main = {
        (event["pid"], event["tid"])
        for event in events
        if event.get("name") == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    found += [
        Task(event["dur"] / 1e3, event["tdur"] / 1e3)
        for event in events
        if event.get("name", "").endswith("RunTask")
        and "tdur" in event
        and (event["pid"], event["tid"]) in main
    ]


def test_twelve_charts_under_two_hundred_facts_a_second(tmp_path: Path) -> None:
    with paced_cluster(tmp_path / "lab") as cluster, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browser_program(),
            args=["--no-sandbox", "--disable-background-networking"],
        )
        page = chromium.new_page(
            base_url=cluster.address, viewport={"width": 1440, "height": 1_600}
        )
        devtools = page.context.new_cdp_session(page)
        devtools.send("Performance.enable")
        run = cluster.start_run(data={"corpus": "tiny-shakespeare"}, budget={"steps": 10_000_000})
        until(lambda: cluster.step_of(run) > FIRST_STEPS, secs=240, what="the run's past")
        page.goto(f"/runs/{run}")
        chart = page.get_by_test_id("loss-chart")
        fill(page)
        charts = page.evaluate(IN_SIGHT)
        assert charts >= LEAST_CHARTS, f"{charts} charts are in sight"

        page.evaluate(WATCH)
        heap_before, metrics_before = heap_of(devtools), metrics_of(devtools)
        step_before, loads = cluster.step_of(run), [psutil.getloadavg()[0]]
        page.evaluate("() => { watched.since = performance.now(); watched.count = 0; }")
        began = time.monotonic()
        while (left := SECS - (time.monotonic() - began)) > 0:
            page.wait_for_timeout(min(10.0, left) * 1e3)
            loads.append(psutil.getloadavg()[0])
        secs = time.monotonic() - began
        tasks, why, frames = page.evaluate(
            "() => [watched.tasks, watched.why, [...watched.frames.slice(0, watched.count)]]"
        )
        steps = cluster.step_of(run) - step_before
        metrics = metrics_of(devtools)
        fill(page)
        heap = heap_of(devtools)
        traced_tasks: list[Task] = []
        with traced(page, traced_tasks):
            page.wait_for_timeout(TRACE_SECS * 1e3)
        status = page.get_by_test_id("connection-status")
        latency = [status.get_attribute(f"data-latency-{name}") for name in ("ms", "p95-ms")]
        cluster.verb(run, "stop")
        until(lambda: cluster.run(run).get("endTime"), secs=60, what="the run's end")
        last = cluster.step_of(run)
        until(lambda: chart.get_attribute("data-last-step") == str(last), secs=30, what="all of it")
        chromium.close()

    cpu_ms = sorted(task.cpu_ms for task in traced_tasks)
    slowest = max(traced_tasks, key=lambda task: task.ms)
    frames.sort()
    p50, p95, p99 = (frames[int(len(frames) * share)] for share in (0.5, 0.95, 0.99))
    durations = sorted(duration for _, duration in tasks)
    script, task = (
        (metrics[name] - metrics_before[name]) / secs for name in ("ScriptDuration", "TaskDuration")
    )
    print(
        f"\n{charts} charts, {steps / secs:.0f} steps/s for {secs:.0f} s, load "
        f"{min(loads):.1f} to {max(loads):.1f} on {psutil.cpu_count()} processors"
        f"\nframes: p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, "
        f"{len(frames) / secs:.0f}/s"
        f"\ntasks over 50 ms by the clock: {len(durations)}"
        + (f", the longest {durations[-1]:.0f} ms" if durations else "")
        + "".join(f"\n  {line}" for line in reasons(tasks, why))
        + f"\ntasks by processor time, over {TRACE_SECS:.0f} s: the longest {cpu_ms[-1]:.1f} ms, "
        f"p99 {cpu_ms[int(len(cpu_ms) * 0.99)]:.1f} ms, "
        f"{sum(cpu_ms) / 1e3 / TRACE_SECS:.0%} of a core; the slowest by the clock took "
        f"{slowest.ms:.1f} ms, of which it had a processor for {slowest.cpu_ms:.1f} ms"
        f"\nthe page's main thread by the clock: {task:.0%} busy, {script:.0%} in scripts"
        f"\nheap after collection: {heap_before} before, {heap} after, "
        f"{heap.bytes / heap_before.bytes - 1:+.1%}"
        f"\nstep to what the page draws from: p50 {latency[0]} ms, p95 {latency[1]} ms"
    )
    print(json.dumps({"frames_p95_ms": p95, "long_tasks": len(durations), "cpu_max": cpu_ms[-1]}))
    assert steps / secs > 0.9 * FACTS_PER_SEC, "the facts did not come as fast as asked"
    assert heap.bytes < 1.1 * heap_before.bytes
