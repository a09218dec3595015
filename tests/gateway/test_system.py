"""Health, metrics and ports of the gateway itself."""

from __future__ import annotations

import httpx
import pytest

from tests.support.gateway import Gateway
from tests.support.waiting import until


async def test_health_says_what_is_missing(http: httpx.AsyncClient, served: Gateway) -> None:
    await until(lambda: len(served.service.readiness.waiting_for) == 1)
    for path in ("/api/health", "/readyz"):
        answer = await http.get(path)
        assert answer.status_code == 503
        assert answer.json()["status"] == "waiting"
        assert answer.json()["waitingFor"] == ["nats at nats://127.0.0.1:1"]
    assert (await http.get("/healthz")).status_code == 200


@pytest.mark.integration
async def test_health_is_ok_when_everything_answers(live_gateway: Gateway) -> None:
    await until(lambda: live_gateway.service.readiness.ready)
    async with live_gateway.http() as http:
        answer = await http.get("/api/health")
        assert answer.status_code == 200
        assert '"status":"ok"' in answer.text
        assert (await http.get("/api/system")).json()["busConnected"] is True


async def test_metrics_are_there(http: httpx.AsyncClient) -> None:
    assert "lab_gateway_live_sessions 0.0" in (await http.get("/metrics")).text


async def test_both_ports_answer_the_same(served: Gateway) -> None:
    assert len(set(served.server.ports)) == 2
    for port in served.server.ports:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"http://localhost:{port}/healthz")
            assert answer.status_code == 200
