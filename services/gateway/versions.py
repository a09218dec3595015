"""Refuses to run on versions of the web stack with holes that were fixed since."""

from collections.abc import Callable
from importlib import metadata

from lab.errors import LabError

# Least version, and what is wrong below it.
_FLOORS = {
    "uvicorn": ((0, 52, 1), "no back-pressure on WebSockets: one stalled browser fills the memory"),
    "starlette": ((1, 0, 1), "the Host header can move a request past access checks"),
}


def check_versions(version_of: Callable[[str], str] = metadata.version) -> None:
    """Raises LabError naming what to upgrade and why."""
    for package, (least, why) in _FLOORS.items():
        found = version_of(package)
        if _numbers(found) < least:
            wanted = ".".join(map(str, least))
            raise LabError(
                f"{package} {found} is too old ({why}); install {package}>={wanted}, "
                "or run `make install`"
            )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
