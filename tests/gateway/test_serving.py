"""The dashboard's files, /docs, ports, versions, and what the process loads."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from lab.errors import LabError, Unavailable
from services.gateway.service import Settings
from services.gateway.sockets import listening_sockets
from services.gateway.versions import check_versions
from tests.support.gateway import Fakes, gateway


async def test_any_address_of_the_dashboard_is_the_page(http: httpx.AsyncClient) -> None:
    for path in ("/", "/runs/nano-1", "/analysis/deep/er"):
        answer = await http.get(path)
        assert answer.status_code == 200
        assert "Pretraining Lab" in answer.text
        assert answer.headers["cache-control"] == "no-cache"


async def test_hashed_files_are_kept_for_ever_and_missing_ones_are_missing(
    http: httpx.AsyncClient,
) -> None:
    there = await http.get("/assets/index-abc123.js")
    assert there.text == "1"
    assert there.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (await http.get("/assets/index-other.js")).status_code == 404
    assert (await http.get("/favicon.ico")).status_code == 404
    assert (await http.get("/api/nothing")).status_code == 404


async def test_without_a_build_the_page_says_how_to_make_one(fakes: Fakes, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    async with gateway(fakes, tmp_path, frontend_dist=nothing) as running, running.http() as http:
        answer = await http.get("/")
        assert answer.status_code == 200
        assert "npm run build" in answer.text


async def test_docs_need_no_other_host(http: httpx.AsyncClient) -> None:
    page = (await http.get("/docs")).text
    assert "://" not in page
    assert "<script>" not in page
    for path in re.findall(r'(?:src|href)="([^"]+)"', page):
        answer = await http.get(path)
        assert answer.status_code == 200
        assert len(answer.content) > 100


async def test_the_openapi_document_describes_every_body_completely(
    http: httpx.AsyncClient,
) -> None:
    document = (await http.get("/api/openapi.json")).json()
    schemas = document["components"]["schemas"]
    text = str(document)
    for name in re.findall(r"#/components/schemas/([\w.]+)", text):
        assert name in schemas
    learning_rate = schemas["OptimizerSpec"]["properties"]["learningRate"]
    assert learning_rate["type"] == "number"
    assert learning_rate["description"] == "Peak learning rate; above 0."
    assert "RUN_STATE_PAUSED" in schemas["Run"]["properties"]["state"]["enum"]
    assert schemas["Problem"]["properties"]["metadata"]["additionalProperties"] == {
        "type": "string"
    }
    assert "name" not in schemas["StopRunRequest.without.name"]["properties"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (method, path)
            assert "4XX" in operation["responses"]
            assert "422" not in operation["responses"]
            if method in ("post", "patch"):
                assert "requestBody" in operation, path


def test_a_busy_port_is_named_with_its_holder() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(Unavailable) as refused:
            listening_sockets("127.0.0.1", [0, port])
    assert f"port {port} is taken by pid {os.getpid()}" in refused.value.message


def test_old_versions_are_refused_by_name() -> None:
    check_versions()
    for package, version in (("uvicorn", "0.52.0"), ("starlette", "0.49.1")):
        found = {"uvicorn": "0.54.0", "starlette": "1.10.0", package: version}
        with pytest.raises(LabError, match=f"{package} {version} is too old"):
            check_versions(found.__getitem__)


@pytest.mark.parametrize("text", ["8000,3000", "[8000, 3000]", "[8000,3000]"])
def test_ports_can_be_given_as_text(text: str) -> None:
    assert Settings.model_validate({"ports": text}).ports == (8000, 3000)


def test_the_gateway_loads_no_torch_and_no_numpy() -> None:
    code = (
        "import sys, services.gateway.service\n"
        "print([name for name in ('torch', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_answers_do_not_wait_for_nagle() -> None:
    (listening,) = listening_sockets("127.0.0.1", [0])
    with listening:
        assert listening.proto == socket.IPPROTO_TCP  # what asyncio looks at before TCP_NODELAY
