"""Generates Python and TypeScript from proto/lab/v1.

`python proto/generate.py` rewrites the committed files; `--check` generates into a temporary folder
and fails when the committed files differ, which is what `make proto-check` runs.
"""

import argparse
import filecmp
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from google.protobuf import descriptor_pb2
from google.protobuf.message import Message

ROOT = Path(__file__).resolve().parent.parent
PYTHON_OUT = Path("shared/lab/v1")
TYPESCRIPT_OUT = Path("frontend/src/gen")


def generate_python(out: Path) -> None:
    """Messages for every file, stubs and servicers only for the files that hold a service."""
    tools = Path(sys.executable).parent
    protos = sorted((ROOT / "proto/lab/v1").glob("*.proto"))
    services = [proto for proto in protos if proto.stem.endswith("_service")]
    folder = out / PYTHON_OUT.parts[0]
    folder.mkdir(parents=True, exist_ok=True)
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}"]
    protoc += [
        f"--plugin={name}={tools / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")
    ]
    messages = [*protoc, f"--python_out={folder}", f"--mypy_out=quiet:{folder}", *map(str, protos)]
    stubs = [
        *protoc,
        f"--grpc_python_out={folder}",
        f"--mypy_grpc_out=quiet:{folder}",
        *map(str, services),
    ]
    subprocess.run(messages, check=True)
    subprocess.run(stubs, check=True)
    (out / PYTHON_OUT / "__init__.py").write_text(
        '"""Generated from proto/lab/v1 by proto/generate.py."""\n'
    )


def generate_comments(out: Path) -> None:
    """The comments of the contract by full name; the gateway's OpenAPI document quotes them."""
    protos = sorted((ROOT / "proto/lab/v1").glob("*.proto"))
    described = out / "described.binpb"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}"]
    command += ["--include_source_info", f"--descriptor_set_out={described}", *map(str, protos)]
    subprocess.run(command, check=True)
    files = descriptor_pb2.FileDescriptorSet.FromString(described.read_bytes()).file
    described.unlink()
    comments: dict[str, str] = {}
    for file in files:
        for location in file.source_code_info.location:
            name = _full_name(file, location.path)
            if name and location.leading_comments:
                comments[name] = " ".join(location.leading_comments.split())
    text = json.dumps(comments, indent=0, sort_keys=True, ensure_ascii=False)
    (out / PYTHON_OUT / "comments.json").write_text(text + "\n", encoding="utf-8")


def _full_name(file: descriptor_pb2.FileDescriptorProto, path: Sequence[int]) -> str:
    """What a source location is about, or nothing when it has no name of its own."""
    part: Message = file
    names = [file.package]
    for number, index in zip(path[::2], path[1::2], strict=False):
        part = getattr(part, part.DESCRIPTOR.fields_by_number[number].name)[index]
        if not hasattr(part, "name"):
            return ""
        names.append(part.name)
    return ".".join(names) if len(path) >= 2 and len(path) % 2 == 0 else ""


def generate_typescript(out: Path) -> None:
    """The whole contract for the browser, by protobuf-es."""
    plugin = ROOT / "frontend/node_modules/.bin/protoc-gen-es"
    if not plugin.exists():
        sys.exit(f"{plugin} is missing; run `make install` first")
    config = {
        "version": "v2",
        "plugins": [
            {
                "local": str(plugin),
                "out": str(out / TYPESCRIPT_OUT),
                "opt": ["target=ts", "import_extension=none"],
            }
        ],
    }
    buf = Path(sys.executable).parent / "buf"
    command = [str(buf), "generate", "--template", json.dumps(config)]
    subprocess.run(
        command, check=True, cwd=ROOT, env={**os.environ, "BUF_CACHE_DIR": str(out / ".buf")}
    )
    shutil.rmtree(out / ".buf", ignore_errors=True)


def generated(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def differences(expected: Path, committed: Path) -> list[str]:
    """Files that are missing, left over or not the same."""
    wanted, found = generated(expected), generated(committed)
    common = sorted(wanted & found)
    _, mismatch, errors = filecmp.cmpfiles(expected, committed, common, shallow=False)
    return sorted([*(wanted ^ found), *mismatch, *errors])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary)
        generate_python(out)
        generate_comments(out)
        generate_typescript(out)
        changed = [
            f"{part}/{name}"
            for part in (PYTHON_OUT, TYPESCRIPT_OUT)
            for name in differences(out / part, ROOT / part)
        ]
        if arguments.check:
            if changed:
                sys.exit(
                    "generated code is out of date; run `make proto`:\n  " + "\n  ".join(changed)
                )
            return
        for part in (PYTHON_OUT, TYPESCRIPT_OUT):
            shutil.rmtree(ROOT / part, ignore_errors=True)
            shutil.copytree(out / part, ROOT / part)
    print(f"generated {PYTHON_OUT} and {TYPESCRIPT_OUT}; {len(changed)} files changed")


if __name__ == "__main__":
    main()
