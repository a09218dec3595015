"""REST: errors of services come back whole, as problems."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from lab.errors import Damaged, LabError, OverLimit, Unavailable, Violation
from lab.v1.run_pb2 import RUN_STATE_SUCCEEDED
from tests.support.gateway import Fakes, fake_services, gateway


async def test_a_refusal_of_a_service_is_a_problem(http: httpx.AsyncClient, fakes: Fakes) -> None:
    fakes.trainer.add_run("nano-1", state=RUN_STATE_SUCCEEDED)
    answer = await http.post("/api/runs/nano-1:pause", json={})
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
    problem = answer.json()
    assert problem == {
        "type": "/problems/run-state",
        "title": "The run is not in a state that allows this",
        "status": 409,
        "detail": "runs/nano-1 is SUCCEEDED; allowed: delete",
        "instance": "/api/runs/nano-1:pause",
        "reason": "RUN_STATE",
        "metadata": {"state": "SUCCEEDED", "allowed": "delete"},
        "violations": [],
        "requestId": answer.headers["x-request-id"],
    }


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OverLimit("too much", metadata={"limit": "1", "requested": "2"}), 400),
        (Unavailable("away"), 503),
        (Damaged("bits"), 500),
        (LabError("ours"), 500),
    ],
    ids=["over limit", "unavailable", "damaged", "internal"],
)
async def test_every_kind_of_refusal_has_its_status(
    http: httpx.AsyncClient, fakes: Fakes, error: LabError, status: int
) -> None:
    fakes.inference.fail_next("LoadModel", error)
    answer = await http.post("/api/models:load", json={"source": "runs/a/peek"})
    assert answer.status_code == status
    assert answer.json()["detail"] == error.message
    assert ("retry-after" in answer.headers) == (status == 503)


async def test_violations_name_their_fields(http: httpx.AsyncClient, fakes: Fakes) -> None:
    error = OverLimit.of(Violation("optimizer.learning_rate", "must be above 0"))
    fakes.trainer.fail_next("CreateRun", error)
    problem = (await http.post("/api/runs", json={"preset": "nano"})).json()
    assert problem["violations"] == [
        {"field": "optimizer.learning_rate", "description": "must be above 0"}
    ]


async def test_a_service_that_is_away_is_named(tmp_path: Path) -> None:
    async with fake_services() as fakes:
        fakes.addresses["trainer_address"] = "127.0.0.1:1"
        async with gateway(fakes, tmp_path) as running, running.http() as http:
            answer = await http.get("/api/runs")
            assert answer.status_code == 503
            assert answer.json()["metadata"] == {"service": "trainer"}
            assert (await http.get("/api/models")).status_code == 200


async def test_a_preset_that_is_not_there_is_told_with_those_that_are(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.get("/api/presets/huge")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "no preset is called huge; known: nano"
