"""A file is taken from the first source that has the very bytes; else every source is named."""

import os
from pathlib import Path

import pytest

from lab import folders
from lab.errors import AssetUnreachable, InvalidArgument, NotFound
from lab.text import Assets
from lab.text.catalogue import read_assets, read_corpora
from tests.shared.text.conftest import Place

DATA = b"the very bytes"


def test_the_mirror_is_asked_first_and_the_file_is_kept(place: Place) -> None:
    place.asset("thing", DATA)
    (place.mirror / "thing.txt").write_bytes(DATA)
    path = place.assets().fetch("thing")
    assert path.read_bytes() == DATA
    (place.mirror / "thing.txt").unlink()
    assert place.assets(mirror=False).fetch("thing") == path


def test_a_damaged_copy_is_fetched_again(place: Place) -> None:
    place.asset("thing", DATA)
    (place.mirror / "thing.txt").write_bytes(DATA)
    path = place.assets().fetch("thing")
    path.write_bytes(b"the Very bytes")
    assert [s.path for s in place.assets().list() if s.info.name == "thing"] == [None]
    assert place.assets().fetch("thing").read_bytes() == DATA


@pytest.mark.parametrize(
    ("held", "cause"),
    [
        (None, "has no thing.txt"),
        (b"the wrong bytes"[:14], "its SHA-256 is"),
        (b"short", "expected 14 bytes, found 5"),
        (DATA + b"and more", "expected 14 bytes, found more than 14"),
    ],
)
def test_every_source_is_named_with_its_cause(place: Place, held: bytes | None, cause: str) -> None:
    place.asset("thing", DATA)
    if held is not None:
        (place.mirror / "thing.txt").write_bytes(held)
    with pytest.raises(AssetUnreachable) as refused:
        place.assets().fetch("thing")
    message = refused.value.message
    assert f"mirror LAB_ASSET_MIRROR: {cause}" in message
    assert "https https://lab.invalid/x: not reachable" in message
    assert "lab assets add thing FILE" in message
    assert not (place.home / "assets" / "thing.txt").exists()


def test_plain_http_and_missing_programs_are_causes_too(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = "[{https: 'http://lab.invalid/x'}, {npm: 'thing@1.0.0', member: package/x}]"
    place.asset("thing", DATA, sources)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(AssetUnreachable) as refused:
        place.assets(mirror=False).fetch("thing")
    assert "the address is not https" in refused.value.message
    assert "npm is not installed" in refused.value.message


def test_a_package_that_does_not_exist_is_a_cause(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.asset("thing", DATA, "[{pypi: 'thing==0.0.1', member: x}]")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(AssetUnreachable, match=r"pypi thing==0\.0\.1 \(x\): pip failed"):
        place.assets(mirror=False).fetch("thing")


def test_a_file_got_by_hand_is_taken_when_it_is_the_one(place: Place, tmp_path: Path) -> None:
    place.asset("thing", DATA)
    file = tmp_path / "download"
    file.write_bytes(DATA)
    assert place.assets().add("thing", file).read_bytes() == DATA
    for wrong, said in ((b"the wrong data", "SHA-256"), (b"x", "expected 14 bytes, found 1")):
        file.write_bytes(wrong)
        with pytest.raises(InvalidArgument, match=said):
            place.assets().add("thing", file)
    with pytest.raises(InvalidArgument, match="must be a file"):
        place.assets().add("thing", tmp_path)


def test_nothing_half_written_is_left(place: Place) -> None:
    place.asset("thing", DATA)
    (place.mirror / "thing.txt").write_bytes(DATA)
    place.assets().fetch("thing")
    assert os.listdir(place.home / "assets") == ["thing.txt"]


def test_an_unknown_asset_is_named(place: Place) -> None:
    place.asset("thing", DATA)
    with pytest.raises(NotFound, match='"thin" is not known; did you mean thing'):
        place.assets().fetch("thin")


def test_the_labs_own_catalogue_is_sound() -> None:
    assets = read_assets(folders.configs() / "assets")
    corpora = read_corpora(folders.configs() / "corpora")
    assert set(corpora) == {"tiny-shakespeare", "verdict"}
    for corpus in corpora.values():
        assert corpus.text_bytes == assets[corpus.asset].size_bytes
        assert corpus.tokens > 0
    assert all("==" in s.where for a in assets.values() for s in a.sources if s.kind == "pypi")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("title", "titel"), "did you mean title"),
        (("https", "ftp"), "each source needs one of https, pypi, npm"),
        (("file: thing.txt", "file: ../thing.txt"), "plain file name"),
        (("bytes: 14", "bytes: x"), "bytes must be a whole number"),
        (("sha256: ", "sha256: f"), "64 hex digits"),
    ],
)
def test_a_broken_catalogue_is_told(place: Place, change: tuple[str, str], said: str) -> None:
    place.asset("thing", DATA)
    file = place.catalogue / "assets" / "thing.yaml"
    file.write_text(file.read_text().replace(*change, 1))
    with pytest.raises(InvalidArgument, match=said):
        Assets(place.home, catalogue=file.parent)
