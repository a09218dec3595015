"""What the repository itself must not hold: pickle, shells, hosts of registries, this machine."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import folders

ROOT = folders.checkout()

UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
UNSAFE_CALLS = {
    "torch.load",
    "torch.save",
    "torch.jit.load",
    "yaml.load",
    "yaml.unsafe_load",
    "os.system",
    "os.popen",
    "eval",
    "exec",
}
UNSAFE_ARGUMENTS = {"allow_pickle=True", "shell=True", "trust_remote_code=True"}

# Written in two halves, so that this file does not hold them.
FOREIGN = tuple(
    "".join(halves)
    for halves in (
        ("py", "pi.org"),
        ("python", "hosted.org"),
        ("registry.", "npmjs"),
        ("registry.", "yarnpkg"),
        ("download.py", "torch.org"),
        ("index", "-url"),
        ("/opt/", "wheels"),
        ("/opt/", "pypi"),
        ("/work/", "main"),
        ("/work/", "shared"),
        ("docker", "-here"),
    )
)
SECRETS = re.compile(r"BEGIN [A-Z ]*PRIVATE KEY|\bghp_[A-Za-z0-9]{36}|\bAKIA[0-9A-Z]{16}\b")


def tracked(*patterns: str) -> list[Path]:
    """Files under version control; all files where there is none, as in an unpacked archive."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    names = [name for name in done.stdout.split("\0") if name]
    assert names, "git lists no files"
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def unsafe(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            names = []
        yield from (name for name in names if name.split(".")[0] in UNSAFE_MODULES)
        if isinstance(node, ast.Call):
            if (called := ast.unparse(node.func)) in UNSAFE_CALLS:
                yield called
            written = {
                f"{argument.arg}={ast.unparse(argument.value)}" for argument in node.keywords
            }
            yield from written & UNSAFE_ARGUMENTS


def test_no_code_reads_pickles_or_runs_text() -> None:
    found = {
        str(path.relative_to(ROOT)): sorted(set(unsafe(path.read_text())))
        for path in tracked("shared/*.py", "services/*.py", "proto/*.py")
    }
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "torch.load('x')",
        "np.load('x', allow_pickle=True)",
        "subprocess.run('ls', shell=True)",
        "eval('1')",
    ],
)
def test_the_search_finds_what_it_is_for(source: str) -> None:
    assert list(unsafe(source))


def test_no_registry_and_no_machine_is_named_and_no_secret_kept() -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        words = [word for word in FOREIGN if word in text] + SECRETS.findall(text)
        found += [f"{path.relative_to(ROOT)}: {word}" for word in words]
    assert found == []


def test_no_large_or_binary_weights_are_kept() -> None:
    unwanted = {".pt", ".pth", ".bin", ".pkl", ".npz", ".safetensors", ".db", ".sqlite"}
    assert [path.name for path in tracked() if path.suffix in unwanted] == []
    assert [path.name for path in tracked() if path.stat().st_size > 3 << 20] == []


def test_every_pin_is_exact_and_torch_comes_first() -> None:
    lines = [
        line
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert lines[0] == "torch==2.13.0"
    names = [line.split("==")[0].lower() for line in lines]
    assert len(set(names)) == len(names)
    assert all(line.count("==") == 1 and "+" not in line and "@" not in line for line in lines)
