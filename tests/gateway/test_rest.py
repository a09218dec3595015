"""REST: every route reaches the right RPC with the right message, and errors come back whole."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf.message import Message

from lab.errors import Damaged, LabError, OverLimit, Unavailable, Violation
from lab.spec import load_presets, parse_run_yaml
from lab.v1 import analysis_service_pb2 as analysis
from lab.v1 import checkpoint_service_pb2 as checkpoints
from lab.v1 import inference_service_pb2 as inference
from lab.v1 import recording_pb2 as recording
from lab.v1 import trainer_service_pb2 as trainer
from lab.v1.run_pb2 import RUN_STATE_SUCCEEDED
from lab.v1.run_spec_pb2 import BudgetSpec, RunSpec
from lab.v1.tensor_pb2 import DTYPE_UINT8_SQRT
from tests.support.gateway import Fakes, Gateway, fake_services, gateway
from tests.support.waiting import until

RUN = "runs/nano-1"
CHECKPOINT = f"{RUN}/checkpoints/step-00000010"

ROUTES: list[tuple[str, str, Any, str, Message]] = [
    ("GET", "/api/runs?pageSize=5", None, "ListRuns", trainer.ListRunsRequest(page_size=5)),
    ("GET", f"/api/{RUN}", None, "GetRun", trainer.GetRunRequest(name=RUN)),
    (
        "POST",
        "/api/runs",
        {"preset": "nano", "overrides": {"budget": {"batch": 4}}, "validateOnly": True},
        "CreateRun",
        trainer.CreateRunRequest(
            preset="nano", overrides=RunSpec(budget=BudgetSpec(batch=4)), validate_only=True
        ),
    ),
    (
        "PATCH",
        f"/api/{RUN}",
        {"displayName": "first"},
        "UpdateRun",
        trainer.UpdateRunRequest(name=RUN, display_name="first"),
    ),
    (
        "POST",
        "/api/runs:fork",
        {"checkpoint": CHECKPOINT, "overrides": {"budget": {"batch": 8}}, "runId": "b"},
        "ForkRun",
        trainer.ForkRunRequest(
            checkpoint=CHECKPOINT, overrides=RunSpec(budget=BudgetSpec(batch=8)), run_id="b"
        ),
    ),
    (
        "DELETE",
        f"/api/{RUN}?permanently=true",
        None,
        "DeleteRun",
        trainer.DeleteRunRequest(name=RUN, permanently=True),
    ),
    ("POST", f"/api/{RUN}:restore", {}, "RestoreRun", trainer.RestoreRunRequest(name=RUN)),
    (
        "GET",
        "/api/runs?trashed=true&pageSize=7",
        None,
        "ListRuns",
        trainer.ListRunsRequest(trashed=True, page_size=7),
    ),
    ("GET", "/api/runs:queue", None, "GetQueue", trainer.GetQueueRequest()),
    ("POST", f"/api/{RUN}:pause", {}, "PauseRun", trainer.PauseRunRequest(name=RUN)),
    ("POST", f"/api/{RUN}:resume", {}, "ResumeRun", trainer.ResumeRunRequest(name=RUN)),
    (
        "POST",
        f"/api/{RUN}:advance",
        {"steps": 3},
        "AdvanceRun",
        trainer.AdvanceRunRequest(name=RUN, steps=3),
    ),
    (
        "POST",
        f"/api/{RUN}:stop",
        {"save": False},
        "StopRun",
        trainer.StopRunRequest(name=RUN, save=False),
    ),
    (
        "POST",
        f"/api/{RUN}:snapshot",
        {"weightsOnly": True},
        "SnapshotRun",
        trainer.SnapshotRunRequest(name=RUN, weights_only=True),
    ),
    ("POST", f"/api/{RUN}:peek", {}, "PeekRun", trainer.PeekRunRequest(name=RUN)),
    (
        "GET",
        f"/api/{RUN}/series?series=loss&series=grad_norm&stepFrom=2&stepTo=9&maxPoints=50&inherited=true"
        "&meanOfSteps=64",
        None,
        "QuerySeries",
        trainer.QuerySeriesRequest(
            name=RUN,
            series=["loss", "grad_norm"],
            step_from=2,
            step_to=9,
            max_points=50,
            inherited=True,
            mean_of_steps=64,
        ),
    ),
    (
        "GET",
        f"/api/{RUN}/facts?kinds=text_sampled&limit=7",
        None,
        "ListFacts",
        trainer.ListFactsRequest(name=RUN, kinds=["text_sampled"], limit=7),
    ),
    (
        "GET",
        f"/api/{RUN}/health?metric=update_ratio&stepFrom=2&stepTo=9&maxColumns=50",
        None,
        "QueryHealth",
        recording.QueryHealthRequest(
            name=RUN, metric="update_ratio", step_from=2, step_to=9, max_columns=50
        ),
    ),
    (
        "GET",
        f"/api/{RUN}/probes?scores=true&limit=5",
        None,
        "ListProbes",
        recording.ListProbesRequest(name=RUN, scores=True, limit=5),
    ),
    (
        "GET",
        f"/api/{RUN}/probes/2",
        None,
        "GetProbe",
        recording.GetProbeRequest(name=RUN, step=2),
    ),
    (
        "GET",
        f"/api/{RUN}/batches/2?sequences=3&sequences=0",
        None,
        "GetBatch",
        recording.GetBatchRequest(name=RUN, step=2, sequences=[3, 0]),
    ),
    ("GET", "/api/presets", None, "ListPresets", trainer.ListPresetsRequest()),
    ("GET", "/api/presets/nano", None, "ListPresets", trainer.ListPresetsRequest()),
    ("GET", "/api/corpora", None, "ListCorpora", trainer.ListCorporaRequest()),
    (
        "GET",
        "/api/corpora/verdict:preview",
        None,
        "PreviewCorpus",
        trainer.PreviewCorpusRequest(name="corpora/verdict"),
    ),
    (
        "GET",
        "/api/checkpoints?pageToken=x",
        None,
        "ListCheckpoints",
        checkpoints.ListCheckpointsRequest(page_token="x"),
    ),
    (
        "GET",
        f"/api/{RUN}/checkpoints",
        None,
        "ListCheckpoints",
        checkpoints.ListCheckpointsRequest(run=RUN),
    ),
    (
        "GET",
        f"/api/{CHECKPOINT}",
        None,
        "GetCheckpoint",
        checkpoints.GetCheckpointRequest(name=CHECKPOINT),
    ),
    (
        "POST",
        f"/api/{CHECKPOINT}:verify",
        {},
        "VerifyCheckpoint",
        checkpoints.VerifyCheckpointRequest(name=CHECKPOINT),
    ),
    (
        "DELETE",
        f"/api/{CHECKPOINT}",
        None,
        "DeleteCheckpoint",
        checkpoints.DeleteCheckpointRequest(name=CHECKPOINT),
    ),
    (
        "DELETE",
        f"/api/{CHECKPOINT}?permanently=true",
        None,
        "DeleteCheckpoint",
        checkpoints.DeleteCheckpointRequest(name=CHECKPOINT, permanently=True),
    ),
    (
        "GET",
        "/api/checkpoints?trashed=true",
        None,
        "ListCheckpoints",
        checkpoints.ListCheckpointsRequest(trashed=True),
    ),
    (
        "PATCH",
        f"/api/{CHECKPOINT}",
        {"pinned": True, "labels": {"a": "b"}},
        "UpdateCheckpoint",
        checkpoints.UpdateCheckpointRequest(name=CHECKPOINT, pinned=True, labels={"a": "b"}),
    ),
    (
        "POST",
        f"/api/{CHECKPOINT}:restore",
        {},
        "RestoreCheckpoint",
        checkpoints.RestoreCheckpointRequest(name=CHECKPOINT),
    ),
    (
        "POST",
        f"/api/{CHECKPOINT}:fetch",
        {},
        "FetchCheckpoint",
        checkpoints.FetchCheckpointRequest(name=CHECKPOINT),
    ),
    (
        "GET",
        "/api/checkpoints?inBucket=true",
        None,
        "ListCheckpoints",
        checkpoints.ListCheckpointsRequest(in_bucket=True),
    ),
    (
        "POST",
        f"/api/{RUN}/checkpoints:retain",
        {"policy": {"keepLast": 3, "keepBest": True}, "dryRun": True},
        "ApplyRetention",
        checkpoints.ApplyRetentionRequest(
            run=RUN,
            policy=checkpoints.RetentionPolicy(keep_last=3, keep_best=True),
            dry_run=True,
        ),
    ),
    ("GET", "/api/checkpoints:disk", None, "GetDiskUse", checkpoints.GetDiskUseRequest()),
    ("GET", "/api/models", None, "ListModels", inference.ListModelsRequest()),
    (
        "POST",
        "/api/models:load",
        {"source": f"{RUN}/peek"},
        "LoadModel",
        inference.LoadModelRequest(source=f"{RUN}/peek"),
    ),
    (
        "POST",
        "/api/models:tokenize",
        {"text": "a b"},
        "Tokenize",
        inference.TokenizeRequest(text="a b"),
    ),
    (
        "DELETE",
        "/api/models/m1",
        None,
        "UnloadModel",
        inference.UnloadModelRequest(name="models/m1"),
    ),
    (
        "POST",
        "/api/models/m1:attention",
        {"text": "a", "layers": [0], "heads": [1], "dtype": "DTYPE_UINT8_SQRT"},
        "GetAttention",
        analysis.GetAttentionRequest(
            model="models/m1", text="a", layers=[0], heads=[1], dtype=DTYPE_UINT8_SQRT
        ),
    ),
    (
        "POST",
        "/api/models/m1:analyse",
        {"text": "a", "otherModel": "models/m2", "lens": {"top": 3}},
        "Analyse",
        analysis.AnalyseRequest(
            model="models/m1",
            other_model="models/m2",
            text="a",
            lens=analysis.LensQuestion(top=3),
        ),
    ),
    (
        "POST",
        "/api/generations",
        {"model": "models/m1", "prompt": "a", "temperature": 0, "seed": "7"},
        "Generate",
        inference.GenerateRequest(model="models/m1", prompt="a", temperature=0, seed=7),
    ),
    (
        "POST",
        "/api/generations",
        {"model": "models/m1", "prompt": "a", "topP": 0.9, "stop": ["."], "alternatives": 0},
        "Generate",
        inference.GenerateRequest(
            model="models/m1", prompt="a", top_p=0.9, stop=["."], alternatives=0
        ),
    ),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "rpc", "message"), ROUTES, ids=[f"{r[0]} {r[1]}" for r in ROUTES]
)
async def test_a_route_hands_its_message_to_the_service(
    http: httpx.AsyncClient,
    fakes: Fakes,
    method: str,
    path: str,
    body: Any,
    rpc: str,
    message: Message,
) -> None:
    fakes.trainer.add_run("nano-1")
    fakes.checkpoints.add("nano-1", 10)
    options = {} if body is None else {"json": body}
    answer = await http.request(method, path, **options)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    fake = next(
        fake for fake in (fakes.trainer, fakes.checkpoints, fakes.inference) if fake.called(rpc)
    )
    assert fake.called(rpc) == [message]


async def test_every_documented_operation_is_in_the_list_above(http: httpx.AsyncClient) -> None:
    document = (await http.get("/api/openapi.json")).json()
    known = {(method, path.partition("?")[0]) for method, path, *_ in ROUTES}
    known |= {
        ("GET", "/api/health"),
        ("GET", "/api/system"),
        ("GET", "/api/runs/nano-1:yaml"),
        ("POST", "/api/runs:fromYaml"),
        ("POST", "/api/runs:toYaml"),
        ("GET", "/api/runs/nano-1/checkpoints/step-00000010:download"),  # test_downloads.py
        ("GET", "/api/generations/g1"),
        ("DELETE", "/api/generations/g1"),
    }
    examples = {
        "{run}": "nano-1",
        "{checkpoint}": "step-00000010",
        "{corpus}": "verdict",
        "{preset}": "nano",
        "{model}": "m1",
        "{generation}": "g1",
        "{step}": "2",
    }
    documented = set()
    for path, operations in document["paths"].items():
        for placeholder, example in examples.items():
            path = path.replace(placeholder, example)
        documented |= {(method.upper(), path) for method in operations}
    assert documented == known


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
