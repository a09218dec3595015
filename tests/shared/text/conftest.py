"""A catalogue of assets and corpora in a temporary folder, with a mirror as its only source."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import folders
from lab.text import Assets, Corpora


class Place:
    """What a test needs to make a corpus of its own."""

    def __init__(self, root: Path) -> None:
        self.catalogue, self.mirror, self.home = root / "configs", root / "mirror", root / "home"
        for folder in (self.catalogue / "assets", self.catalogue / "corpora", self.mirror):
            folder.mkdir(parents=True)
        encoder = (folders.configs() / "assets" / "gpt2-encoder.yaml").read_text()
        (self.catalogue / "assets" / "gpt2-encoder.yaml").write_text(encoder)
        # The vocabulary is real; it is fetched once per machine, not once per test.
        real = Assets.at_home().fetch("gpt2-encoder")
        (self.mirror / "encoder.json").write_bytes(real.read_bytes())

    def asset(
        self, name: str, data: bytes, sources: str = "[{https: 'https://lab.invalid/x'}]"
    ) -> None:
        (self.catalogue / "assets" / f"{name}.yaml").write_text(
            f"title: {name}\nfile: {name}.txt\nlicence: none\nbytes: {len(data)}\n"
            f"sha256: {hashlib.sha256(data).hexdigest()}\nsources: {sources}\n"
        )

    def corpus(self, name: str, data: bytes) -> None:
        self.asset(name, data)
        (self.mirror / f"{name}.txt").write_bytes(data)
        (self.catalogue / "corpora" / f"{name}.yaml").write_text(
            f"title: {name}\ndescription: A test.\nlicence: none\nasset: {name}\n"
            f"text_bytes: {len(data)}\ntokens: 0\n"
        )

    def assets(self, *, mirror: bool = True) -> Assets:
        return Assets(
            self.home / "assets",
            self.mirror if mirror else None,
            catalogue=self.catalogue / "assets",
        )

    def corpora(self) -> Corpora:
        return Corpora(self.home / "corpora", self.assets(), catalogue=self.catalogue / "corpora")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def made(place: Place) -> Callable[[bytes], Corpora]:
    """Corpora with one corpus "mine" of the given text."""

    def make(text: bytes) -> Corpora:
        place.corpus("mine", text)
        return place.corpora()

    return make
