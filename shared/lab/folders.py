"""Where things are on this machine: the lab's data folder, its configs, the asset mirror.

The only place besides the service settings that reads the environment.
"""

import os
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[2]


def home() -> Path:
    """Folder of everything the lab stores: LAB_HOME, or .lab in the checkout."""
    return Path(os.environ.get("LAB_HOME") or _CHECKOUT / ".lab").resolve()


def configs() -> Path:
    """Folder of presets, corpora, assets and cluster files: LAB_CONFIGS, or the checkout's."""
    return Path(os.environ.get("LAB_CONFIGS") or _CHECKOUT / "configs").resolve()


def asset_mirror() -> Path | None:
    """A folder of files that assets may be taken from: LAB_ASSET_MIRROR, or None."""
    mirror = os.environ.get("LAB_ASSET_MIRROR")
    return Path(mirror) if mirror else None


def checkout() -> Path:
    """Root of the source tree; only the local cluster and its tests need it."""
    return _CHECKOUT


def child_environment(**additions: str) -> dict[str, str]:
    """This process's environment with `additions` laid over it, for a process it starts."""
    return {**os.environ, **additions}
