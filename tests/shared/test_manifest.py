"""A manifest says what a checkpoint holds, and any byte that differs is found."""

import json
from pathlib import Path

import pytest

from lab import manifest
from lab.errors import Damaged
from lab.v1.checkpoint_pb2 import Checkpoint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.safetensors").write_bytes(bytes(range(256)) * 8192)  # 2 MiB: many chunks
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


def finished(folder: Path) -> Checkpoint:
    files = manifest.describe(folder)
    checkpoint = Checkpoint(
        name="runs/nano-a/checkpoints/step-00000007",
        step=7,
        files=files,
        digest=manifest.digest(files),
    )
    manifest.write(folder, checkpoint)
    return checkpoint


def test_what_was_written_is_read_and_whole(folder: Path) -> None:
    checkpoint = finished(folder)
    assert manifest.read(folder) == checkpoint
    assert manifest.damage(folder, checkpoint) == []
    assert [file.name for file in checkpoint.files] == ["config.json", "model.safetensors"]


def test_the_manifest_is_plain_json_for_other_tools(folder: Path) -> None:
    finished(folder)
    document = json.loads((folder / manifest.MANIFEST).read_text())
    assert document["step"] == 7
    assert document["files"][0]["sha256"] == manifest.file_sha256(folder / "config.json")


def test_nothing_temporary_stays(folder: Path) -> None:
    finished(folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json",
        "manifest.json",
        "model.safetensors",
    ]


def test_one_flipped_bit_is_found_and_its_file_named(folder: Path) -> None:
    checkpoint = finished(folder)
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[1_500_000] ^= 1
    path.write_bytes(data)
    (sentence,) = manifest.damage(folder, checkpoint)
    assert "model.safetensors" in sentence


def test_a_missing_and_a_shortened_file_are_found(folder: Path) -> None:
    checkpoint = finished(folder)
    (folder / "config.json").unlink()
    (folder / "model.safetensors").write_bytes(b"short")
    assert len(manifest.damage(folder, checkpoint)) == 2


def test_a_changed_list_of_files_does_not_match_its_digest(folder: Path) -> None:
    checkpoint = finished(folder)
    del checkpoint.files[0]
    assert any("digest" in sentence for sentence in manifest.damage(folder, checkpoint))


def test_a_folder_that_was_never_finished_is_damaged(folder: Path) -> None:
    with pytest.raises(Damaged, match="never finished"):
        manifest.read(folder)


@pytest.mark.parametrize("text", ["", "{", '{"step": "many"}', "[1]"])
def test_a_manifest_that_cannot_be_read_is_damaged(folder: Path, text: str) -> None:
    (folder / manifest.MANIFEST).write_text(text)
    with pytest.raises(Damaged):
        manifest.read(folder)


def test_the_digest_does_not_depend_on_order(folder: Path) -> None:
    files = manifest.describe(folder)
    assert manifest.digest(files) == manifest.digest(reversed(files))


def test_every_flipped_bit_of_the_manifest_is_found(folder: Path) -> None:
    finished(folder)
    path = folder / manifest.MANIFEST
    written = path.read_bytes()
    for at in range(len(written)):
        spoilt = bytearray(written)
        spoilt[at] ^= 1 << (at % 8)
        with pytest.raises(Damaged):
            manifest.parsed(bytes(spoilt), of="it")


def test_a_manifest_from_before_seals_is_still_read(folder: Path) -> None:
    checkpoint = finished(folder)
    document = json.loads((folder / manifest.MANIFEST).read_text())
    del document["seal"]
    (folder / manifest.MANIFEST).write_text(json.dumps(document))
    assert manifest.read(folder) == checkpoint
