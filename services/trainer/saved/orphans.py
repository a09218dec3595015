"""Workers that have outlived their trainer. Each ends at its next step boundary, but first finishes
the save that is under way: nothing of it is touched before, and then it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Set
from pathlib import Path
from typing import Final

import structlog

from lab.occupied import occupied
from services.trainer.journal.journal import Journal
from services.trainer.records.records import Records
from services.trainer.saved import untold
from services.trainer.saved.leftovers import remove_but, whole_saves
from services.trainer.saved.uploads import Uploads

LOOK_SECS: Final = 0.2
# By then two gigabytes are on any disk. Who takes longer is suspended or stuck: the run goes on
# without it, and what it still saves comes under a claim that is accepted no more.
MOST_SECS: Final = 120.0

log = structlog.get_logger()


class Orphans:
    """The next start of the trainer looks for them anew."""

    def __init__(self, records: Records, journal: Journal, uploads: Uploads) -> None:
        self._records, self._journal, self._uploads = records, journal, uploads
        self._tasks: dict[asyncio.Task[None], str] = {}

    def expect(self, run_id: str, attempt: Path, *, told: Set[Path]) -> None:
        """One is still at work in the folder of that attempt; of `told` it could tell before."""
        task = asyncio.create_task(self._outlive(run_id, attempt, told), name=f"orphan of {run_id}")
        self._tasks[task] = run_id
        task.add_done_callback(self._tasks.pop)

    def busy(self, run_id: str) -> bool:
        return run_id in self._tasks.values()

    async def gone(self, run_id: str) -> None:
        """Returns when what those of the run leave is on its way, or is waited for no more."""
        if tasks := [task for task, owner in self._tasks.items() if owner == run_id]:
            await asyncio.wait(tasks)

    def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    async def _outlive(self, run_id: str, attempt: Path, told: Set[Path]) -> None:
        log.info("a worker of the last life still writes", run=run_id)
        deadline = asyncio.get_running_loop().time() + MOST_SECS
        while await asyncio.to_thread(occupied, attempt):
            if asyncio.get_running_loop().time() > deadline:
                log.warning("a worker of the last life does not end", run=run_id)
                return
            await asyncio.sleep(LOOK_SECS)
        whole = await asyncio.to_thread(whole_saves, attempt, but=told)
        if not self._records.has(run_id):
            return  # deleted meanwhile, its folder with it
        for staged in whole:
            log.info("checkpoint still to be sent", run=run_id, step=staged.step)
            await untold.tell(run_id, staged, records=self._records, journal=self._journal)
            self._uploads.put(self._records.get(run_id), staged)
        kept = {*told, *(Path(staged.folder) for staged in whole)}
        await asyncio.to_thread(remove_but, attempt, kept)
