"""Generations: kept by the gateway, found again, cancelled, bounded."""

from __future__ import annotations

import httpx

from lab.errors import OverLimit
from services.gateway import generations
from tests.support.fake_inference import MODEL
from tests.support.gateway import Fakes
from tests.support.waiting import until

ASKED = {"model": MODEL, "prompt": "a"}


async def test_a_generation_is_kept_after_its_end(http: httpx.AsyncClient) -> None:
    name = (await http.post("/api/generations", json=ASKED)).json()["generation"]["name"]

    async def finished() -> dict[str, object] | None:
        text = (await http.get(f"/api/{name}")).json()["generation"]
        return text if text["finishReason"] == "FINISH_REASON_LENGTH" else None

    text = await until(finished)
    assert "".join(token["text"] for token in text["tokens"]) == "the cat sat"  # type: ignore


async def test_a_refused_generation_is_a_problem_and_not_kept(
    http: httpx.AsyncClient, fakes: Fakes
) -> None:
    fakes.inference.fail_next("Generate", OverLimit("prompt is 300 tokens; the context is 256"))
    answer = await http.post("/api/generations", json=ASKED)
    assert answer.status_code == 400
    assert answer.json()["reason"] == "OVER_LIMIT"
    unknown = await http.post("/api/generations", json={"model": "models/m2", "prompt": "a"})
    assert unknown.status_code == 404


async def test_a_cancel_stops_the_work_and_keeps_the_text(
    http: httpx.AsyncClient, fakes: Fakes
) -> None:
    fakes.inference.words = ["word"] * 100_000
    created = (await http.post("/api/generations", json=ASKED)).json()["generation"]
    answer = (await http.delete(f"/api/{created['name']}")).json()["generation"]
    assert answer["finishReason"] == "FINISH_REASON_CANCELLED"
    assert 0 < len(answer["tokens"]) < 100_000
    await until(lambda: fakes.inference.abandoned == 1, what="the gRPC call was cancelled")
    again = await http.delete(f"/api/{created['name']}")
    assert again.json()["generation"] == answer


async def test_no_more_run_at_once_than_the_limit(http: httpx.AsyncClient, fakes: Fakes) -> None:
    fakes.inference.words = ["word"] * 100_000
    names = [
        (await http.post("/api/generations", json=ASKED)).json()["generation"]["name"]
        for _ in range(generations.MAX_RUNNING)
    ]
    refused = await http.post("/api/generations", json=ASKED)
    assert refused.status_code == 429
    assert refused.headers["retry-after"]
    assert refused.json()["metadata"]["limit"] == str(generations.MAX_RUNNING)
    for name in names:
        await http.delete(f"/api/{name}")
    assert (await http.post("/api/generations", json=ASKED)).status_code == 200


async def test_a_slow_first_token_does_not_hold_the_answer(
    http: httpx.AsyncClient, fakes: Fakes
) -> None:
    with fakes.inference.hold("token"):
        answer = await http.post("/api/generations", json=ASKED)
        assert answer.status_code == 200
        assert answer.json()["generation"]["tokens"] == []


async def test_an_unknown_generation_is_not_found(http: httpx.AsyncClient) -> None:
    assert (await http.get("/api/generations/g-none")).status_code == 404
    assert (await http.delete("/api/generations/g-none")).status_code == 404
