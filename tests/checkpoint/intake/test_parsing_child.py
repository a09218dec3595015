"""Foreign files meet a parser that may break: it is a child, with little memory and time."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.errors import Code, InvalidArgument, LabError
from lab.manifest import CONFIG, WEIGHTS
from lab.v1.checkpoint_service_pb2 import ListCheckpointsRequest
from services.checkpoint.intake import parsing
from tests.support.checkpoint_service import parts, safetensors, stored, write

if TYPE_CHECKING:
    from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceAsyncStub as Stub

IMPORT = "runs/imports/checkpoints/tiny"
# How files of other formats begin, under the name of weights.
FOREIGN = {
    ".pt, .npz": b"PK\x03\x04" + bytes(5000),
    ".bin": b"\x80\x02}q\x00(X\x05\x00\x00\x00" + bytes(5000),
    ".h5": b"\x89HDF\r\n\x1a\n" + bytes(5000),
    ".gguf": b"GGUF\x03\x00\x00\x00" + bytes(5000),
    "header of 0": bytes(5000),
    "header past the end": (5000).to_bytes(8, "little") + bytes(100),
    "header of 2^63": (1 << 63).to_bytes(8, "little") + bytes(100),
    "no JSON": (20).to_bytes(8, "little") + b"x" * 20,
    "deep JSON": (100_000).to_bytes(8, "little") + b"[" * 100_000,
    "a key twice": (8).to_bytes(8, "little") + b'{"a":1,"a":2}'[:8],
    "cut": safetensors(b"weights")[:-1],
    "longer": safetensors(b"weights") + b"x",
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
async def test_what_is_no_safetensors_is_refused_and_the_service_lives(
    stub: Stub, tmp_path: Path, content: bytes
) -> None:
    with pytest.raises(LabError, match=r"not a safetensors file: .+; checkpoints are sa") as caught:
        await write(stub, parts({CONFIG: b"{}", WEIGHTS: content}, name=IMPORT))
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert [violation.field for violation in caught.value.violations] == ["files"]
    assert [path for path in stored(tmp_path) if ".tmp" in path or "imports" in path] == []
    await stub.ListCheckpoints(ListCheckpointsRequest())


@pytest.mark.parametrize(
    "parser",
    [
        "import sys; sys.exit(1)",
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "b = bytearray(4 << 30)",
        "while True: pass",
        "open(f'{path}.out', 'w').write('x' * 9)",
    ],
    ids=["gives up", "breaks", "eats memory", "never ends", "writes"],
)
def test_a_parser_that_breaks_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parser: str
) -> None:
    """The limits are those of `main`; the parser in its place does its worst."""
    (tmp_path / WEIGHTS).write_bytes(safetensors(b"x"))
    program = (
        "from services.checkpoint import safetensors_header\n"
        "from services.checkpoint.intake import parsing\n"
        f"def worst(path): exec({parser!r})\n"
        "safetensors_header.check = worst\n"
        "from pathlib import Path\n"
        f"parsing.main(Path({str(tmp_path)!r}), 1)\n"
    )
    run = subprocess.run

    def run_worst(command: list[str], **rest: object) -> object:
        return run([sys.executable, "-c", program], **rest)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", run_worst)
    with pytest.raises(InvalidArgument, match="could not be read with 1024 MiB"):
        parsing.check_import(tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.glob("*.out")) == 0


def test_the_limits_are_the_childs_alone(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_AS), resource.getrlimit(resource.RLIMIT_FSIZE)
    (tmp_path / WEIGHTS).write_bytes(safetensors(b"x"))
    (tmp_path / CONFIG).write_bytes(b"{}")
    with pytest.raises(InvalidArgument, match="says model_type None"):
        parsing.check_import(tmp_path)
    assert before == (
        resource.getrlimit(resource.RLIMIT_AS),
        resource.getrlimit(resource.RLIMIT_FSIZE),
    )
