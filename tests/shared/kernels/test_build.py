"""Without a compiler, or with one that fails, the lab works as before and a line says why."""

from pathlib import Path

import pytest

from lab import kernels
from lab.kernels import build as building


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library that is not built yet, and no compiler but what the test puts on the path."""
    monkeypatch.setattr(building, "library", lambda: tmp_path / "built" / "kernels.so")
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def compiler(folder: Path, script: str) -> None:
    (folder / "g++").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "g++").chmod(0o755)


def test_no_compiler(elsewhere: Path) -> None:
    assert "torch's own are used" in building.build()
    assert not (elsewhere / "built").exists()


@pytest.mark.skipif(not kernels.build.possible(), reason="built on Linux on x86-64 only")
def test_a_compiler_that_fails_leaves_nothing(elsewhere: Path) -> None:
    compiler(elsewhere, "echo 'head.h:1: error: what is this?' >&2; exit 1")
    assert building.build().endswith("g++ says: head.h:1: error: what is this?")
    assert list((elsewhere / "built").iterdir()) == []


@pytest.mark.skipif(not kernels.build.possible(), reason="built on Linux on x86-64 only")
def test_it_is_built_once_and_the_old_one_goes(elsewhere: Path) -> None:
    built = elsewhere / "built"
    built.mkdir()
    (built / "old.so").touch()
    compiler(elsewhere, 'while [ "$1" != -o ]; do shift; done; echo made > "$2"')
    assert building.build().startswith("built the kernels")
    assert [path.name for path in built.iterdir()] == ["kernels.so"]
    compiler(elsewhere, "exit 1")
    assert building.build() == "the kernels are built"


def test_a_library_that_is_missing_or_broken_means_torchs_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "kernels.so"
    monkeypatch.setattr(kernels, "library", lambda: broken)
    for told in (kernels.operations.__wrapped__, kernels.told.__wrapped__):
        monkeypatch.setattr(kernels, told.__name__, told)  # without what was remembered
    assert kernels.operations() is None
    broken.write_bytes(b"no library")
    assert kernels.operations() is None
    assert kernels.told() == "torch's own"
