"""Hostile requests get a 4xx that says why, change nothing, and echo nothing: never a 5xx."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.errors import LabError
from lab.v1.trainer_service_pb2 import CreateRunRequest
from services.gateway.api.reading import read_json
from tests.support.gateway import Fakes, Gateway, raw

JSON = {"Content-Type": "application/json"}


def spec(value: str) -> bytes:
    return b'{"overrides": {"optimizer": {"learningRate": ' + value.encode() + b"}}}"


BODIES: list[tuple[str, bytes, int, str]] = [
    ("not JSON", b"{", 400, "not JSON"),
    ("bad UTF-8", b'{"preset": "\xff"}', 400, "not JSON"),
    ("200,000 deep", b'{"overrides":' * 200_000, 413, "1 MiB"),
    ("5,000 deep", b'{"overrides":' * 5_000, 400, "not JSON"),
    ("5,000 digits", spec("9" * 5_000), 400, "not JSON"),
    ("NaN", spec("NaN"), 400, "not JSON"),
    ("Infinity", spec("Infinity"), 400, "not JSON"),
    ("1e999", spec("1e999"), 400, "not JSON"),
    ('"NaN"', spec('"NaN"'), 400, "optimizer.learning_rate: must be a number"),
    ('"Infinity"', spec('"Infinity"'), 400, "optimizer.learning_rate: must be a number"),
    ("true for a number", spec("true"), 400, "optimizer.learning_rate: must be a number"),
    ("lone surrogate", b'{"preset": "\\ud800"}', 400, "not JSON"),
    ("NUL in a name", b'{"displayName": "a\\u0000b"}', 400, "display_name: must not hold"),
    ("unknown field", b'{"foo": 1}', 400, "foo: is no field; known: runId, preset"),
    ("unknown inner field", b'{"overrides": {"model": {"depth": 1}}}', 400, "model.depth: is no"),
    ("wrong type", b'{"preset": 7}', 400, "preset: must be a text"),
    ("text for a number", b'{"overrides": {"budget": {"batch": "x"}}}', 400, "budget.batch: must"),
    ("negative", b'{"overrides": {"budget": {"batch": -1}}}', 400, "budget.batch: must be a whole"),
    ("too big", b'{"overrides": {"budget": {"batch": 1e20}}}', 400, "budget.batch: must be a"),
    ("a half", b'{"overrides": {"budget": {"batch": 1.5}}}', 400, "budget.batch: must be a whole"),
    ("list for an object", b'{"overrides": []}', 400, "overrides: must be a JSON object"),
    ("list as body", b"[]", 400, "body: must be a JSON object"),
    ("text as body", b'"x"', 400, "body: must be a JSON object"),
    ("object for a list", b'{"overrides": {"hooks": {"samplePrompts": {}}}}', 400, "must be a lis"),
    ("unknown enum", b'{"overrides": {"budget": {"precision": "X"}}}', 400, "must be one of"),
    ("enum by number", b'{"overrides": {"budget": {"precision": 77}}}', 400, "must be one of"),
    ("over 1 MiB", b'{"preset": "' + b"a" * (1 << 20) + b'"}', 413, "1 MiB"),
]


@pytest.mark.parametrize(
    ("body", "status", "says"), [each[1:] for each in BODIES], ids=[each[0] for each in BODIES]
)
async def test_a_hostile_body_is_refused(
    http: httpx.AsyncClient, fakes: Fakes, body: bytes, status: int, says: str
) -> None:
    answer = await http.post("/api/runs", content=body, headers=JSON)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.json()["detail"]
    assert len(answer.content) < 4_000
    assert fakes.trainer.called("CreateRun") == []
    assert (await http.get("/healthz")).status_code == 200


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (b"[]", "labels: must be a JSON object"),
        (b'{"a": 1}', "labels.a: must be a text"),
        (b'{"a": {"b": "c"}}', "labels.a: must be a text"),
        (b'{"a": null}', "labels.a: must be a text"),
        (b'{"a": "b\\u0000"}', "labels.a: must not hold the character U+0000"),
        (b'{"a\\u0000": "b"}', "labels: must not hold the character U+0000"),
    ],
)
async def test_hostile_labels_are_refused(
    http: httpx.AsyncClient, fakes: Fakes, labels: bytes, says: str
) -> None:
    body = b'{"labels": ' + labels + b"}"
    path = "/api/runs/nano-1/checkpoints/step-00000010"
    answer = await http.patch(path, content=body, headers=JSON)
    assert answer.status_code == 400, answer.text
    assert says in answer.json()["detail"]
    assert fakes.checkpoints.called("UpdateCheckpoint") == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/runs/Bad", 404),
        ("/api/runs/..", 404),
        ("/api/runs/..%2f..%2fetc", 404),
        ("/api/runs/%2e%2e/series", 404),
        ("/api/runs/a%00b", 404),
        ("/api/runs/a%0a", 404),
        ("/api/runs/a\\b", 404),
        ("/api/runs/" + "a" * 64, 404),
        ("/api/runs/" + "a" * 9_000, 404),
        ("/api/runs/-a", 404),
        ("/api/runs/%ff", 404),
        ("/api/runs/nano-1:nonsense", 404),
        ("/api/checkpoints?pageSize=1e20", 400),
        ("/api/runs?pageSize=-1", 400),
        ("/api/runs?pageSize=100000000000000000000", 400),
        ("/api/runs?pageSize=" + "9" * 5_000, 400),
        ("/api/runs?pageSize=NaN", 400),
        ("/api/runs?pageToken=" + "a" * 501, 400),
        ("/api/runs/nano-1/series?stepFrom=4294967296", 400),
        ("/api/runs/nano-1/series?maxPoints=20001", 400),
        ("/api/runs/nano-1/series?" + "series=loss&" * 21, 400),
        ("/../../etc/passwd", 404),
        ("/assets/..%2f..%2f..%2fetc%2fpasswd", 404),
        ("/assets/%00.js", 404),
    ],
)
async def test_a_hostile_address_is_refused(
    served: Gateway, fakes: Fakes, path: str, status: int
) -> None:
    fakes.trainer.add_run("nano-1")
    host = f"127.0.0.1:{served.server.port}"
    head = await raw(served, f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode()), head[:300]
    assert b"application/problem+json" in head
    assert b"root:" not in head
    assert fakes.calls == 0


async def test_a_field_that_is_in_the_address_may_not_be_in_the_body(
    http: httpx.AsyncClient, fakes: Fakes
) -> None:
    answer = await http.post("/api/runs/nano-1:pause", json={"name": "runs/other"})
    assert answer.status_code == 400
    assert "name: is in the address" in answer.json()["detail"]
    assert fakes.calls == 0


async def test_a_wrong_method_is_told_with_the_right_ones(http: httpx.AsyncClient) -> None:
    for method, path in (("PUT", "/api/runs"), ("DELETE", "/api/runs"), ("POST", "/api/presets")):
        answer = await http.request(method, path, headers=JSON)
        assert answer.status_code == 405
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["allow"]


@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json"],
)
async def test_a_write_that_is_not_json_is_refused(
    http: httpx.AsyncClient, fakes: Fakes, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    answer = await http.post("/api/runs", content=b'{"preset": "nano"}', headers=headers)
    assert answer.status_code == 415
    assert fakes.calls == 0


async def test_all_mistakes_of_a_body_are_told_at_once(http: httpx.AsyncClient) -> None:
    body = {"overrides": {"budget": {"batch": -1}, "model": {"layers": "x"}}, "preset": 7}
    problem = (await http.post("/api/runs", json=body)).json()
    fields = {violation["field"] for violation in problem["violations"]}
    assert fields == {"budget.batch", "model.layers", "preset"}


async def test_an_unknown_key_is_said_back_cut_and_clean(http: httpx.AsyncClient) -> None:
    answer = await http.post("/api/runs", json={"\u202e" + "x" * 500: 1})
    assert answer.status_code == 400
    field = answer.json()["violations"][0]["field"]
    assert field.startswith("?xxx")
    assert len(field) <= 60


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["NaN", "-Infinity", "1e5", "99999999999999999999999"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "overrides",
                    "model",
                    "layers",
                    "budget",
                    "batch",
                    "precision",
                    "preset",
                    "runId",
                    "hooks",
                    "samplePrompts",
                    "optimizer",
                    "learningRate",
                    "validateOnly",
                    "seed",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


def read(text: bytes) -> CreateRunRequest | int:
    """The message, or the status of the refusal; anything else that is raised is a failure."""
    try:
        return read_json(text, CreateRunRequest)
    except LabError as error:
        return error.http_status


@given(document=JSON_VALUES)
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_document_is_a_message_or_the_callers_mistake(document: object) -> None:
    answer = read(json.dumps(document).encode())
    assert answer == 400 or isinstance(answer, CreateRunRequest)
    assert "nan" not in str(answer)


@given(text=st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_message_or_the_callers_mistake(text: bytes) -> None:
    answer = read(text)
    assert answer == 400 or isinstance(answer, CreateRunRequest)


async def test_a_body_that_hides_its_size_is_cut_off(http: httpx.AsyncClient, fakes: Fakes) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b'{"preset": "'
        for _ in range(40):
            yield b"a" * 65_536

    answer = await http.post("/api/runs", content=endless(), headers=JSON)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert fakes.calls == 0
