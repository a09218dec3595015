"""The facts of one run, as they come, for whoever follows it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from lab.errors import NotFound, Unavailable
from lab.v1.event_pb2 import Event
from services.trainer.journal.journal import Journal
from services.trainer.records.records import Records

PAGE: Final = 500


async def watch(
    run_id: str, records: Records, journal: Journal, *, after_sequence: int, closing: asyncio.Event
) -> AsyncIterator[Event]:
    """Every fact after the sequence, then as they are committed, until the run is deleted or the
    trainer goes away."""
    records.get(run_id)
    cursor = after_sequence
    with contextlib.suppress(NotFound):
        while not closing.is_set():
            events = await journal.facts_after(run_id, cursor, PAGE)
            for event in events:
                yield event
                cursor = event.sequence
            if not events:
                await _next_fact(run_id, journal, cursor, closing)
    if closing.is_set():
        raise Unavailable("the trainer is going away; connect again with the last sequence")
    yield records.last_word(run_id)


async def _next_fact(run_id: str, journal: Journal, cursor: int, closing: asyncio.Event) -> None:
    """Returns when there is one after the cursor, or the trainer is going away."""
    waits = [
        asyncio.ensure_future(journal.committed(run_id, cursor + 1)),
        asyncio.ensure_future(closing.wait()),
    ]
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            await each
    finally:
        for each in waits:
            each.cancel()
