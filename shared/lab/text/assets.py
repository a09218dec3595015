"""Fetches the files the lab needs and does not ship: several sources, one hash, kept atomically."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from lab import folders
from lab.errors import AssetUnreachable, InvalidArgument
from lab.text.catalogue import AssetInfo, not_known, read_assets
from lab.text.sources import SourceFailed, read_exactly, read_source

# What is being done, and how much of it is done, 0 to 1.
Progress = Callable[[str, float], None]


def no_progress(_what: str, _share: float) -> None:
    """For those who do not watch."""


_Ways: TypeAlias = list[tuple[str, Callable[[], bytes]]]


@dataclass(frozen=True)
class AssetStatus:
    """An asset and where it is; `path` is None while it is not on this machine."""

    info: AssetInfo
    path: Path | None


class Assets:
    """The assets of one folder, by name. Safe to use from several processes at once."""

    def __init__(
        self, folder: Path, mirror: Path | None = None, *, catalogue: Path | None = None
    ) -> None:
        self._folder = folder
        self._mirror = mirror
        self._infos = read_assets(catalogue or folders.configs() / "assets")

    @classmethod
    def at_home(cls) -> "Assets":
        """The assets of this machine's lab."""
        return cls(folders.home() / "assets", folders.asset_mirror())

    def list(self) -> Sequence[AssetStatus]:
        return [AssetStatus(info, self._stored(info)) for info in self._infos.values()]

    def info(self, name: str) -> AssetInfo:
        if name not in self._infos:
            raise not_known("asset", name, sorted(self._infos))
        return self._infos[name]

    def fetch(self, name: str, progress: Progress = no_progress) -> Path:
        """The verified file, fetched when it is not here; raises AssetUnreachable."""
        info = self.info(name)
        if stored := self._stored(info):
            return stored
        failures = []
        progress(f"fetching {info.title}", 0.0)
        for label, read in self._ways(info):
            try:
                data = read()
                if (found := hashlib.sha256(data).hexdigest()) != info.sha256:
                    raise SourceFailed(f"its SHA-256 is {found}, not {info.sha256}")
            except SourceFailed as failure:
                failures.append(f"{label}: {failure}")
                continue
            progress(f"fetching {info.title}", 1.0)
            return self._store(info, data)
        raise AssetUnreachable(
            f"{info.file} ({info.title}) could not be fetched. Tried {'; '.join(failures)}. "
            f"Get the file by any other way and run: lab assets add {name} FILE",
            metadata={"asset": name, "sha256": info.sha256},
        )

    def add(self, name: str, file: Path) -> Path:
        """Takes a file the user got in some other way; it must be the very file."""
        info = self.info(name)
        if not file.is_file():
            raise InvalidArgument.field("file", "must be a file that can be read")
        with file.open("rb") as opened:
            try:
                data = read_exactly(opened, info.size_bytes)
            except SourceFailed as failure:
                raise InvalidArgument.field("file", f"is not {info.file}: {failure}") from failure
        if (found := hashlib.sha256(data).hexdigest()) != info.sha256:
            raise InvalidArgument.field(
                "file", f"is not {info.file}: its SHA-256 is {found}, not {info.sha256}"
            )
        return self._store(info, data)

    def _ways(self, info: AssetInfo) -> Sequence[tuple[str, Callable[[], bytes]]]:
        """Every source in the order it is tried: the mirror, then as the catalogue lists them."""
        ways: _Ways = []
        if self._mirror is not None:
            path = self._mirror / info.file
            ways.append(("mirror LAB_ASSET_MIRROR", lambda: _read_file(path, info.size_bytes)))
        for source in info.sources:
            ways.append(
                (str(source), lambda s=source: read_source(s, size_bytes=info.size_bytes))  # type: ignore[misc]
            )
        return ways

    def _stored(self, info: AssetInfo) -> Path | None:
        """The file when it is here and whole; a damaged one counts as absent."""
        path = self._folder / info.file
        try:
            data = _read_file(path, info.size_bytes)
        except SourceFailed:
            return None
        return path if hashlib.sha256(data).hexdigest() == info.sha256 else None

    def _store(self, info: AssetInfo, data: bytes) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / info.file
        descriptor, temporary = tempfile.mkstemp(prefix=f".{info.file}.", dir=self._folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
        return path


def _read_file(path: Path, size_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            return read_exactly(file, size_bytes)
    except FileNotFoundError as error:
        raise SourceFailed(f"has no {path.name}") from error
    except OSError as error:
        raise SourceFailed(f"{path.name} cannot be read ({error.strerror})") from error
