"""A model on its way into the inference service's memory, with how far it is."""

from __future__ import annotations

import asyncio

from lab.cli.output import size
from lab.cli.progress import Steps
from lab.client import Lab
from lab.v1.model_pb2 import LoadedModel

ASK_SECS = 0.3


async def loaded(lab: Lab, source: str) -> LoadedModel:
    """The model of a source; a terminal is told meanwhile what of it has arrived."""
    work = asyncio.create_task(lab.models.load(source))
    try:
        with Steps() as steps:
            while not (await asyncio.wait([work], timeout=ASK_SECS))[0]:
                for each in await lab.models.loading():
                    if source.partition("@")[0].rpartition("/")[2] in each.source.split("/"):
                        share = each.received_bytes / max(1, each.total_bytes)
                        steps.show(f"loading {each.source}, {size(each.total_bytes)}", share)
            return work.result()
    finally:
        work.cancel()
