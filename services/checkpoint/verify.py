"""Hashes the files of a checkpoint again and says what is not as its manifest has it."""

from lab import manifest
from lab.errors import Damaged
from services.checkpoint.catalog import Catalog
from services.checkpoint.layout import Layout
from services.checkpoint.marks import MARKS


def verify(layout: Layout, catalog: Catalog, name: str) -> list[str]:
    """One line per fault; none when the checkpoint is whole. Raises NotFound."""
    folder = layout.find(name)
    try:
        checkpoint = catalog.read(name, folder)
    except Damaged as error:
        layout.find(name)  # deleted meanwhile is not damaged
        return [error.message]
    known = {file.name for file in checkpoint.files} | {manifest.MANIFEST, MARKS}
    strays = sorted(path.name for path in folder.iterdir() if path.name not in known)
    return manifest.damage(folder, checkpoint) + [f"{name}: not in the manifest" for name in strays]
