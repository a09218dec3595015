"""Hashes the files of a checkpoint again and says what is not as its manifest has it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lab import manifest
from lab.errors import Damaged
from services.checkpoint.shelf import verdicts
from services.checkpoint.shelf.layout import Layout
from services.checkpoint.shelf.marks import MARKS

_BESIDE: Final = frozenset((manifest.MANIFEST, MARKS, verdicts.VERDICT))


def verify(layout: Layout, name: str) -> list[str]:
    """One line per fault; none when the checkpoint is whole. Raises NotFound. What it finds is
    kept beside the manifest, so that lists can show it."""
    folder = layout.find(name)
    damage = faults(folder, name)
    try:
        verdicts.write(folder, damage)
    except OSError:
        layout.find(name)  # deleted meanwhile; else the disk is full, and the answer is still true
    return damage


def faults(folder: Path, name: str) -> list[str]:
    """Trusts nothing that was read before, the manifest included."""
    try:
        checkpoint = manifest.read(folder)
    except Damaged as error:
        return [error.message]
    if checkpoint.name != name:
        return [f"{manifest.MANIFEST}: is that of {checkpoint.name}"]
    known = {file.name for file in checkpoint.files} | _BESIDE
    strays = sorted(
        path.name
        for path in folder.iterdir()
        if path.name not in known and not path.name.startswith(".")  # a write beside it, under way
    )
    return manifest.damage(folder, checkpoint) + [f"{each}: not in the manifest" for each in strays]
