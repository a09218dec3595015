"""Generated code runs on the protobuf and grpc that constraints.txt pins."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.version import Version

from lab import folders

ROOT = folders.checkout()
GENERATED = ROOT / "shared" / "lab" / "v1"

_PROTOBUF = re.compile(
    r"ValidateProtobufRuntimeVersion\(\s*_runtime_version\.Domain\.PUBLIC,\s*"
    r"(\d+),\s*(\d+),\s*(\d+)"
)
_GRPC = re.compile(r"GRPC_GENERATED_VERSION = '([\d.]+)'")


def pinned(package: str) -> Version:
    found = re.search(
        rf"^{re.escape(package)}==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M
    )
    assert found, f"{package} is not pinned"
    return Version(found[1])


def floors(pattern: re.Pattern[str], glob: str) -> dict[str, Version]:
    """What each generated file asks for, by its name."""
    found: dict[str, Version] = {}
    for path in sorted(GENERATED.glob(glob)):
        match = pattern.search(path.read_text())
        assert match, f"{path.name} names no version"
        found[path.name] = Version(".".join(match.groups()))
    assert found, "nothing was generated"
    return found


@pytest.mark.parametrize(
    ("package", "pattern", "glob"),
    [("protobuf", _PROTOBUF, "*_pb2.py"), ("grpcio", _GRPC, "*_pb2_grpc.py")],
)
def test_the_pinned_runtime_is_new_enough_for_the_generated_code(
    package: str, pattern: re.Pattern[str], glob: str
) -> None:
    needed = floors(pattern, glob)
    too_new = {name: str(floor) for name, floor in needed.items() if floor > pinned(package)}
    assert too_new == {}
    assert max(needed.values()) <= Version(version(package))


def test_every_proto_was_generated_and_nothing_else() -> None:
    protos = {path.stem for path in (ROOT / "proto" / "lab" / "v1").glob("*.proto")}
    python = {path.stem.removesuffix("_pb2") for path in GENERATED.glob("*_pb2.py")}
    typescript = {
        path.stem.removesuffix("_pb")
        for path in Path(ROOT, "frontend", "src", "gen", "lab", "v1").glob("*_pb.ts")
    }
    assert protos == python == typescript
