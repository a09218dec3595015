"""A newcomer's first minutes, stage by stage: from an empty lab to a moving curve, text, attention.

`make bench t=tests/benchmarks/test_first_run.py`. The files of the texts are on the machine, as
`make up` has fetched them by then; everything else is made here: the cluster, the corpus cut into
tokens, the run. One press starts it, another looks inside. Beside the seconds of each stage stands
the processor time that the lab's processes took, which a busy machine does not change as much.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from playwright.sync_api import Page, expect, sync_playwright

from tests.e2e.conftest import browser_program
from tests.support.cluster import Cluster, until

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

TARGET_SECS = 120
PATIENT_SECS = 300


class Stages:
    """Prints what happened, seconds since the beginning and since the stage before."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.began = self._before = time.monotonic()
        self._used = 0.0

    def reached(self, what: str) -> None:
        now, used = time.monotonic(), lab_cpu_secs(self._cluster)
        print(
            f"{now - self.began:7.1f} s  {what}: {now - self._before:.1f} s, processor "
            f"{used - self._used:.1f} s, load {psutil.getloadavg()[0]:.1f}"
        )
        self._before, self._used = now, used


def lab_cpu_secs(cluster: Cluster) -> float:
    """Of the processes of this lab that live, and of those that ended under them."""
    secs = 0.0
    for process in psutil.process_iter():
        try:
            if process.environ().get("LAB_HOME") == str(cluster.home):
                times = process.cpu_times()
                secs += times.user + times.system + times.children_user + times.children_system
        except psutil.Error:
            continue
    return secs


def number(page: Page, test_id: str, attribute: str) -> int:
    """-1 while it is not there."""
    found = page.get_by_test_id(test_id)
    return int((found.count() and found.first.get_attribute(attribute)) or -1)


def facts_of(cluster: Cluster, run: str) -> list[str]:
    """What the run itself told, and when: seconds after it was created."""
    events: list[dict[str, Any]] = cluster.http.get(f"/api/runs/{run}/facts").json()["events"]
    first = secs_of(events[0])
    return [
        f"{secs_of(event) - first:7.1f} s  {kind} "
        f"{event[kind].get('state', '')}{event[kind].get('step', '')}"
        for event in events
        for kind in event
        if isinstance(event[kind], dict) and kind not in ("probeRecorded", "logWritten")
    ]


def secs_of(event: dict[str, Any]) -> float:
    time_of = Timestamp()
    time_of.FromJsonString(event["time"])
    return time_of.ToNanoseconds() / 1e9


def test_from_an_empty_lab_to_an_attention_map(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path / "lab")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browser_program(),
            args=["--no-sandbox", "--disable-background-networking"],
        )
        page = chromium.new_page(base_url=cluster.address, viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(PATIENT_SECS * 1e3)
        stages = Stages(cluster)
        print()
        with cluster:
            stages.reached("the lab is up")
            page.goto("/")
            page.get_by_test_id("first-run").click()
            page.wait_for_url(re.compile(r"/runs/nano-[a-z0-9]+\?first=1"))
            run = page.url.rsplit("/", 1)[1].split("?")[0]
            stages.reached("pressed, the run's page is there")
            until(
                lambda: number(page, "samples", "data-count") >= 1,
                secs=PATIENT_SECS,
                what="a first text",
            )
            stages.reached("it writes its first text, before any training")
            until(
                lambda: number(page, "loss-chart", "data-points") >= 1,
                secs=PATIENT_SECS,
                what="a first point",
            )
            stages.reached("first point")
            until(
                lambda: number(page, "loss-chart", "data-points") >= 5,
                secs=PATIENT_SECS,
                what="five points",
            )
            stages.reached("five points: the curve moves")
            until(
                lambda: number(page, "samples", "data-newest") > 0,
                secs=PATIENT_SECS,
                what="a text after training began",
            )
            stages.reached("it writes something it has learned")
            page.get_by_test_id("first-steps").get_by_role("link").click()
            drawn = page.get_by_test_id("attention-map")
            expect(drawn).to_have_attribute("data-pending", "false", timeout=PATIENT_SECS * 1e3)
            assert number(page, "attention-map", "data-tokens") > 1
            stages.reached("an attention map of the model that trains")
            secs = time.monotonic() - stages.began
            told = facts_of(cluster, run)
            state = cluster.run(run)["state"]
            cluster.stop_runs()
        chromium.close()
    print(*["as the run tells it:", *told], sep="\n")
    print(f"from an empty lab to all of it: {secs:.0f} s, to be {TARGET_SECS} s at most")
    assert state == "RUN_STATE_RUNNING", "the map is of a model that trains"
