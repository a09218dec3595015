"""`lab corpora add` and `remove`, from the command line to the files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lab import folders
from lab.text import Assets
from tests.shared.cli.conftest import Lab

pytestmark = pytest.mark.integration

STORY = "A small house stood at the edge of the marsh, and nobody went there twice.\n" * 20


@pytest.fixture
def library(home: Path) -> None:
    """The vocabulary is fetched once per machine, not once per test."""
    Assets.at_home().fetch("gpt2-encoder")
    (home / "assets").mkdir(parents=True)
    shutil.copy(folders.home() / "assets" / "encoder.json", home / "assets")


@pytest.mark.usefixtures("library")
def test_add_show_remove(lab: Lab, home: Path, tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "one.txt").write_text(STORY)
    (texts / "two.jsonl").write_text(json.dumps({"body": STORY}) + "\n\n")
    (texts / "cover.png").write_bytes(b"\x89PNG")

    refused = lab("corpora", "add", "marsh", str(texts))
    assert refused.returncode == 2
    assert 'two.jsonl: line 1 (byte offset 0) has no text field "text"' in refused.stderr
    assert not [path for path in (home / "corpora").iterdir()]

    added = lab("corpora", "add", "marsh", str(texts), "--field", "body", "--title", "The Marsh")
    assert (added.returncode, added.stderr) == (0, "")
    assert "marsh is ready: " in added.stdout
    assert "note: 1 files of other kinds were left out" in added.stdout

    shown = json.loads(lab("corpora", "show", "marsh", "--json").stdout)
    assert (shown["title"], shown["documents"], shown["added"]) == ("The Marsh", "2", True)
    assert "The Marsh" in lab("corpora", "show", "marsh").stdout

    again = lab("corpora", "add", "marsh", str(texts), "--field", "body")
    assert again.returncode == 2
    assert "lab corpora remove marsh" in again.stderr

    assert lab("corpora", "remove", "marsh", answer="n\n").returncode == 1
    assert lab("corpora", "remove", "marsh", "--yes").stdout == "removed marsh\n"
    assert "marsh" not in lab("corpora", "list").stdout
