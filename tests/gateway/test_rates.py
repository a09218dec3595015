"""A caller that asks too much is told to wait; nobody else notices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.gateway import rates
from services.gateway.pace import Pace
from services.gateway.rates import BURST_SECS, Limits, Rates
from tests.support.gateway import Fakes, gateway


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def request(method: str = "GET", path: str = "/api/runs", **headers: str) -> dict[str, Any]:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": "http",
        "method": method,
        "path": path,
        "headers": raw,
        "client": ("127.0.0.1", 1),
    }


def test_a_pace_allows_a_burst_and_then_its_rate(clock: Clock) -> None:
    pace = Pace(per_sec=2, burst=3, clock=clock)
    assert [pace.allows() for _ in range(4)] == [True, True, True, False]
    assert pace.secs_until_next() == 0.5
    clock.now += 0.5
    assert [pace.allows() for _ in range(2)] == [True, False]
    clock.now += 100
    assert pace.rested
    assert [pace.allows() for _ in range(4)] == [True, True, True, False]


def test_changes_and_questions_are_counted_apart(clock: Clock) -> None:
    limits = Rates(Limits(reads_per_sec=5, writes_per_sec=1), clock=clock)
    writes = int(BURST_SECS)
    assert all(limits.refusal(request("POST")) is None for _ in range(writes))
    refused = limits.refusal(request("POST"))
    assert refused is not None
    assert refused.metadata["limit"] == "1"
    # What is asked of a model changes nothing, whatever its method.
    assert limits.refusal(request("POST", "/api/models/runs/a/peek:analyse")) is None
    assert limits.refusal(request("GET")) is None
    clock.now += 1
    assert limits.refusal(request("POST")) is None


def test_one_caller_does_not_use_up_what_another_may_ask(clock: Clock) -> None:
    limits = Rates(Limits(reads_per_sec=0.1), clock=clock)
    script, browser = request(user_agent="script"), request(user_agent="browser")
    assert limits.refusal(script) is None
    assert limits.refusal(script) is not None
    assert limits.refusal(browser) is None


def test_probes_pages_and_sockets_are_not_counted(clock: Clock) -> None:
    limits = Rates(Limits(reads_per_sec=0.1), clock=clock)
    for path in ("/api/health", "/healthz", "/metrics", "/runs", "/assets/index.js"):
        assert all(limits.refusal(request(path=path)) is None for _ in range(10))
    socket = request(path="/api/live") | {"type": "websocket"}
    assert all(limits.refusal(socket) is None for _ in range(10))


def test_what_is_remembered_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MAX_CALLERS", 10)
    limits = Rates(Limits(reads_per_sec=1), clock=clock)
    for number in range(100):
        limits.refusal(request(user_agent=str(number)))
    assert len(limits._paces) == 10
    clock.now += 1  # by now a caller that asked once is as good as a new one
    limits.refusal(request(user_agent="x"))
    assert len(limits._paces) == 1


async def test_the_answer_names_the_limit_and_when_to_come_back(
    fakes: Fakes, tmp_path: Path
) -> None:
    async with (
        gateway(fakes, tmp_path, writes_per_sec=0.01) as running,
        running.http() as http,
    ):
        body = {"preset": "nano"}
        assert (await http.post("/api/runs", json=body)).status_code == 200
        refused = await http.post("/api/runs", json=body)
        assert refused.status_code == 429
        assert refused.headers["content-type"] == "application/problem+json"
        assert 90 <= int(refused.headers["retry-after"]) <= 100
        problem = refused.json()
        assert problem["reason"] == "OVER_LIMIT"
        assert problem["metadata"]["limit"] == "0.01"
        assert problem["metadata"]["unit"] == "changes per second"
        assert "one caller may make 0.01 a second, and 1 at once" in problem["detail"]
        assert len(fakes.trainer.called("CreateRun")) == 1
        assert (await http.get("/api/runs")).status_code == 200
        other = await http.post("/api/runs", json=body, headers={"User-Agent": "someone else"})
        assert other.status_code == 200


def test_nobody_who_clicks_or_opens_pages_meets_the_limit(clock: Clock) -> None:
    """Fifty pages opened at once ask a dozen questions each; a hundred changes in a row are a
    script that does real work."""
    limits = Rates(Limits(), clock=clock)
    assert all(limits.refusal(request()) is None for _ in range(50 * 12))
    assert all(limits.refusal(request("POST")) is None for _ in range(100))
