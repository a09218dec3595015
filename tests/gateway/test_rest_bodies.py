"""REST: what bodies hold, as ProtoJSON, binary and YAML."""

from __future__ import annotations

import base64

import httpx

from lab.spec import load_presets, parse_run_yaml
from lab.v1 import analysis_service_pb2 as analysis
from lab.v1 import recording_pb2 as recording
from tests.support.gateway import Fakes

RUN = "runs/nano-1"


async def test_a_runs_spec_is_a_file_that_makes_the_same_run(
    http: httpx.AsyncClient, fakes: Fakes
) -> None:
    run = fakes.trainer.add_run("nano-1")
    run.preset = "nano"
    run.spec.CopyFrom(load_presets()["nano"].spec)
    answer = await http.get("/api/runs/nano-1:yaml")
    assert answer.headers["content-type"] == "application/yaml"
    assert answer.headers["content-disposition"] == 'attachment; filename="nano-1.yaml"'
    file = parse_run_yaml(answer.text)
    assert (file.preset, file.spec) == ("nano", run.spec)
    assert (await http.get("/api/runs/nano-2:yaml")).status_code == 404


async def test_a_form_is_yaml_both_ways(http: httpx.AsyncClient) -> None:
    form = {"preset": "nano", "overrides": {"budget": {"steps": 20}, "data": {"corpus": "verdict"}}}
    text = (await http.post("/api/runs:toYaml", json=form)).json()["yaml"]
    assert text == "preset: nano\ndata:\n  corpus: verdict\nbudget:\n  steps: 20\n"
    back = (await http.post("/api/runs:fromYaml", json={"yaml": text})).json()
    assert (back["preset"], back["overrides"]["budget"]) == ("nano", {"steps": 20})
    assert back["overrides"]["data"] == {"corpus": "verdict"}


async def test_a_yaml_text_that_cannot_be_read_is_refused_with_its_field(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.post("/api/runs:fromYaml", json={"yaml": "budget: {stepps: 20}"})
    assert answer.status_code == 400
    [violation] = answer.json()["violations"]
    assert violation["field"] == "budget.stepps"
    assert "steps" in violation["description"]


async def test_lists_are_there_when_they_are_empty(http: httpx.AsyncClient) -> None:
    assert (await http.get("/api/runs")).json() == {"runs": [], "nextPageToken": ""}


async def test_attention_of_a_probe_survives_json_and_binary(
    http: httpx.AsyncClient, fakes: Fakes
) -> None:
    fakes.trainer.add_run("nano-1")
    binary = await http.get(f"/api/{RUN}/probes/2", headers={"Accept": "application/x-protobuf"})
    weights = recording.GetProbeResponse.FromString(binary.content).record.texts[0].attention
    assert weights.data == bytes([255, 0, 180, 180])
    told = (await http.get(f"/api/{RUN}/probes/2")).json()
    assert base64.b64decode(told["record"]["texts"][0]["attention"]["data"]) == weights.data


async def test_an_answer_comes_in_binary_when_asked_for(
    http: httpx.AsyncClient, fakes: Fakes
) -> None:
    answer = await http.post(
        "/api/models/m1:attention",
        json={"text": "a"},
        headers={"Accept": "application/x-protobuf"},
    )
    assert answer.headers["content-type"] == "application/x-protobuf"
    maps = analysis.GetAttentionResponse.FromString(answer.content)
    assert maps.weights.data == b"\x00\x00\x80?"


async def test_the_idempotency_key_becomes_the_request_id(
    http: httpx.AsyncClient, fakes: Fakes
) -> None:
    answer = await http.post(
        "/api/runs", json={"preset": "nano"}, headers={"Idempotency-Key": "k1"}
    )
    assert answer.status_code == 200
    assert fakes.trainer.called("CreateRun")[0].request_id == "k1"
    both = await http.post(
        "/api/runs",
        json={"preset": "nano", "requestId": "k2"},
        headers={"Idempotency-Key": "k1"},
    )
    assert both.status_code == 400
    assert both.json()["violations"][0]["field"] == "request_id"
