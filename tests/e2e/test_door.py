"""What a cluster listens on, and whom it answers."""

from __future__ import annotations

import psutil
import pytest
from playwright.sync_api import Browser

from tests.support.cluster import Cluster

pytestmark = pytest.mark.e2e


def test_everything_listens_on_loopback_only(cluster: Cluster) -> None:
    programs = ("nats", "checkpoint", "trainer", "inference", "gateway")
    listening = [
        connection.laddr
        for program in programs
        for connection in psutil.Process(cluster.pid(program)).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= len(programs)
    # gRPC listens through an IPv6 socket on the IPv4 address.
    assert {address.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


def test_both_ports_serve_the_dashboard_and_the_api(cluster: Cluster) -> None:
    for port in (cluster.port, cluster.second_port):
        page = cluster.http.get(f"http://127.0.0.1:{port}/")
        assert "Pretraining Lab" in page.text
        health = cluster.http.get(f"http://127.0.0.1:{port}/api/health")
        assert health.json()["status"] == "ok"


def test_a_page_of_another_site_can_neither_start_a_run_nor_open_the_socket(
    cluster: Cluster, browser: Browser
) -> None:
    before = cluster.http.get("/api/runs").json().get("runs", [])
    page = browser.new_page()
    page.route("http://evil.test/**", lambda route: route.fulfill(body="<h1>evil</h1>"))
    page.goto("http://evil.test/")
    outcome = page.evaluate(
        """async (address) => {
          const post = await fetch(address + "/api/runs", {
            method: "POST", headers: {"Content-Type": "text/plain"}, body: '{"preset":"nano"}',
          }).then((answer) => answer.type, () => "refused");
          const opened = await new Promise((resolve) => {
            const socket = new WebSocket(address.replace("http", "ws") + "/api/live", "lab.v1");
            socket.onopen = () => resolve("opened");
            socket.onerror = () => resolve("refused");
          });
          return [post, opened];
        }""",
        cluster.address,
    )
    page.close()
    assert outcome == ["refused", "refused"]
    assert cluster.http.get("/api/runs").json().get("runs", []) == before
