"""How much of the disk checkpoints take, from the manifests; no weight file is touched."""

from __future__ import annotations

from lab.names import checkpoint_ids, run_name
from lab.v1.checkpoint_service_pb2 import GetDiskUseResponse, RunDiskUse
from services.checkpoint.shelf.catalog import Catalog


def disk_use(catalog: Catalog, *, free_bytes: int) -> GetDiskUseResponse:
    runs: dict[str, RunDiskUse] = {}
    for checkpoint in catalog.all():
        run = run_name(checkpoint_ids(checkpoint.name)[0])
        use = runs.setdefault(run, RunDiskUse(run=run))
        use.checkpoints += 1
        use.size_bytes += checkpoint.size_bytes
        use.pinned_bytes += checkpoint.size_bytes if checkpoint.pinned else 0
    trashed = catalog.in_trash()
    return GetDiskUseResponse(
        runs=sorted(runs.values(), key=lambda use: (-use.size_bytes, use.run)),
        size_bytes=sum(use.size_bytes for use in runs.values()),
        trash_bytes=sum(each.size_bytes for each in trashed),
        trashed=len(trashed),
        free_bytes=free_bytes,
    )
