"""REST: every route reaches the right RPC with the right message; no route is left out here."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from google.protobuf.message import Message

from lab.v1 import analysis_service_pb2 as analysis
from lab.v1 import checkpoint_service_pb2 as checkpoints
from lab.v1 import inference_service_pb2 as inference
from lab.v1 import recording_pb2 as recording
from lab.v1 import trainer_service_pb2 as trainer
from lab.v1.run_spec_pb2 import BudgetSpec, RunSpec
from lab.v1.tensor_pb2 import DTYPE_UINT8_SQRT
from tests.support.gateway import Fakes

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
