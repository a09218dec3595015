"""A checkpoint as one file from a browser: every byte, with its length known before the first."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.support.checkpoint_service import (
    NAME,
    checkpoint_service,
    checkpoint_stub,
    parts,
    safetensors,
    write,
)
from tests.support.gateway import Fakes, gateway

FILES = {
    "model.safetensors": safetensors(os.urandom(2_500_000)),
    "config.json": b"{}",
    "block.json": b"x" * 512,  # exactly one block of a tar
}


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway before a real checkpoint service that holds one checkpoint."""
    async with checkpoint_service(tmp_path / "store") as address:
        async with checkpoint_stub(address) as stub:
            await write(stub, parts(FILES))
        home = tmp_path / "gateway"
        async with (
            gateway(Fakes(), home, checkpoint_address=address) as running,
            running.http() as client,
        ):
            yield client


async def test_the_folder_is_a_tar_of_the_length_it_says(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"/api/{NAME}:download")
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert 'filename="nano-1-step-00000010.tar"' in answer.headers["content-disposition"]
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        found = {}
        for member in tar.getmembers():
            content = tar.extractfile(member)
            assert content is not None
            found[member.name] = content.read()
    assert found == {f"nano-1-step-00000010/{name}": data for name, data in FILES.items()}


async def test_the_weights_are_one_file(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"/api/{NAME}:download?as=weights")
    assert answer.content == FILES["model.safetensors"]
    assert 'filename="nano-1-step-00000010.safetensors"' in answer.headers["content-disposition"]


async def test_what_is_not_there_is_a_problem_and_no_empty_file(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/runs/nano-1/checkpoints/step-00000099:download")
    assert (answer.status_code, answer.json()["reason"]) == (404, "NOT_FOUND")
    answer = await http.get(f"/api/{NAME}:download?as=pickle")
    assert answer.status_code == 400
