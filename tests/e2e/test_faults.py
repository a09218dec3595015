"""Processes are killed with -9 while a run trains and a browser watches."""

from __future__ import annotations

import os
import signal

import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.support.cluster import Cluster, until

PATIENT_SECS = 120  # see test_dashboard.py

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def loss_steps(cluster: Cluster, run: str) -> list[int]:
    answer = cluster.http.get(
        f"/api/runs/{run}/series", params={"series": "loss", "maxPoints": 4000}
    )
    series = answer.json()["series"]["series"][0]
    assert series["complete"]
    return [int(step) for step in series["steps"]]


def shown_points(page: Page) -> int:
    return int(page.get_by_test_id("loss-chart").get_attribute("data-points") or 0)


@pytest.fixture
def training(cluster: Cluster, page: Page) -> str:
    """A run that trains, and a page that watches it."""
    run = cluster.start_run(data={"corpus": "tiny-shakespeare"}, budget={"steps": 2000})
    page.goto(f"/runs/{run}")
    until(lambda: shown_points(page) >= 3, secs=PATIENT_SECS, what="three points on the chart")
    return run


def stop(cluster: Cluster, run: str) -> None:
    until(lambda: cluster.verb(run, "stop").status_code == 200, secs=20, what="stop accepted")
    until(lambda: cluster.run(run)["state"] == "RUN_STATE_STOPPED", secs=30, what="stopped")


@pytest.mark.parametrize("victim", ["gateway", "nats"])
def test_the_dashboard_recovers_and_no_point_is_missing(
    cluster: Cluster, page: Page, training: str, victim: str
) -> None:
    before = cluster.step_of(training)
    cluster.kill(victim)
    until(lambda: cluster.lab("status", check=False).returncode == 0, secs=30, what="all ready")
    until(
        lambda: cluster.step_of(training) > before + 2, secs=PATIENT_SECS, what="training goes on"
    )
    expect(page.get_by_test_id("connection-status")).to_have_attribute(
        "data-state", "live", timeout=30_000
    )
    stop(cluster, training)
    steps = loss_steps(cluster, training)
    assert steps == list(range(1, cluster.step_of(training) + 1))
    until(lambda: shown_points(page) == len(steps), secs=20, what="every point is on the chart")


def test_a_killed_worker_interrupts_the_run_and_loses_nothing_recorded(
    cluster: Cluster, page: Page, training: str
) -> None:
    recorded = loss_steps(cluster, training)
    workers = cluster.worker_pids()
    assert len(workers) == 1
    os.kill(workers[0], signal.SIGKILL)
    state = page.get_by_test_id("run-state").first
    expect(state).to_have_attribute("data-state", "INTERRUPTED", timeout=15_000)
    expect(page.get_by_test_id("state-reason").first).to_contain_text("SIGKILL")
    steps = loss_steps(cluster, training)
    assert steps[: len(recorded)] == recorded
    assert steps == list(range(1, len(steps) + 1))


def test_a_killed_trainer_interrupts_the_run_and_keeps_its_history(
    cluster: Cluster, page: Page, training: str
) -> None:
    workers = cluster.worker_pids()
    recorded = loss_steps(cluster, training)
    cluster.kill("trainer")
    until(lambda: cluster.lab("status", check=False).returncode == 0, secs=30, what="all ready")
    until(
        lambda: cluster.run(training)["state"] == "RUN_STATE_INTERRUPTED",
        secs=20,
        what="the run says it was interrupted",
    )
    steps = loss_steps(cluster, training)
    assert steps[: len(recorded)] == recorded
    assert steps == list(range(1, len(steps) + 1))
    until(
        lambda: not any(psutil.pid_exists(pid) for pid in workers),
        secs=20,
        what="no orphan worker is left",
    )
