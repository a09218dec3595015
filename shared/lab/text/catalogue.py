"""What assets and corpora exist: a small YAML file each, in configs/assets and configs/corpora."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lab.errors import InvalidArgument, NotFound
from lab.spec.documents import read_document
from lab.spec.fields import unknown

SourceKind = Literal["https", "pypi", "npm"]
_KINDS: tuple[SourceKind, ...] = ("https", "pypi", "npm")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Source:
    """One place an asset can come from: an address, or a file inside a pinned package."""

    kind: SourceKind
    where: str
    member: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.where}" + (f" ({self.member})" if self.member else "")


@dataclass(frozen=True)
class AssetInfo:
    """A file the lab needs and does not ship."""

    name: str
    title: str
    file: str
    licence: str
    sha256: str
    size_bytes: int
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class CorpusInfo:
    """A text to train on. The asset's hash fixes its sizes, so they are known before it is here."""

    id: str
    title: str
    description: str
    licence: str
    asset: str
    text_bytes: int
    tokens: int  # end-of-text tokens included


def read_assets(folder: Path) -> dict[str, AssetInfo]:
    return {name: _asset(name, document) for name, document in _documents(folder).items()}


def read_corpora(folder: Path) -> dict[str, CorpusInfo]:
    return {name: _corpus(name, document) for name, document in _documents(folder).items()}


def not_known(kind: str, name: str, known: list[str]) -> NotFound:
    """The error for a name that is not in the catalogue."""
    return NotFound(f'{kind} "{name[:63]}" {unknown(name, known)}', metadata={"name": name[:63]})


def _documents(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        path.stem: read_document(path.read_text(encoding="utf-8"), what=path.name)
        for path in sorted(folder.glob("*.yaml"))
    }


def _asset(name: str, document: dict[str, Any]) -> AssetInfo:
    get = _Fields(name, document, ("title", "file", "licence", "sha256", "bytes", "sources"))
    sources = tuple(_source(name, entry) for entry in get.items("sources"))
    info = AssetInfo(
        name=name,
        title=get.text("title"),
        file=get.text("file"),
        licence=get.text("licence"),
        sha256=get.text("sha256"),
        size_bytes=get.number("bytes"),
        sources=sources,
    )
    if not _SHA256.fullmatch(info.sha256):
        raise InvalidArgument(f"{name}.yaml: sha256 must be 64 hex digits")
    if Path(info.file).name != info.file or info.file.startswith("."):
        raise InvalidArgument(f"{name}.yaml: file must be a plain file name")
    return info


def _source(name: str, entry: Any) -> Source:
    kinds = [kind for kind in _KINDS if isinstance(entry, dict) and kind in entry]
    if len(kinds) != 1:
        raise InvalidArgument(f"{name}.yaml: each source needs one of {', '.join(_KINDS)}")
    get = _Fields(name, entry, (kinds[0], "member"))
    member = "" if kinds[0] == "https" else get.text("member")
    return Source(kind=kinds[0], where=get.text(kinds[0]), member=member)


def _corpus(name: str, document: dict[str, Any]) -> CorpusInfo:
    known = ("title", "description", "licence", "asset", "text_bytes", "tokens")
    get = _Fields(name, document, known)
    return CorpusInfo(
        id=name,
        title=get.text("title"),
        description=get.text("description"),
        licence=get.text("licence"),
        asset=get.text("asset"),
        text_bytes=get.number("text_bytes"),
        tokens=get.number("tokens"),
    )


class _Fields:
    """Takes typed values out of one catalogue file, naming the file in every complaint."""

    def __init__(self, name: str, values: dict[str, Any], known: tuple[str, ...]) -> None:
        self._name, self._values = name, values
        for key in values:
            if key not in known:
                raise InvalidArgument(f"{name}.yaml: {key} {unknown(str(key), list(known))}")

    def text(self, key: str) -> str:
        value = self._values.get(key)
        if not isinstance(value, str) or not value:
            raise InvalidArgument(f"{self._name}.yaml: {key} must be a text")
        return value

    def number(self, key: str) -> int:
        value = self._values.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise InvalidArgument(f"{self._name}.yaml: {key} must be a whole number")
        return value

    def items(self, key: str) -> list[Any]:
        value = self._values.get(key)
        if not isinstance(value, list) or not value:
            raise InvalidArgument(f"{self._name}.yaml: {key} must be a list with an entry")
        return value
