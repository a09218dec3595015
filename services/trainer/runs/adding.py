"""Puts a new run among the others: once for each request, under a name that no other has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from lab import names
from lab.errors import AlreadyExists, InvalidArgument, Unavailable
from lab.v1.run_pb2 import Run
from lab.v1.trainer_service_pb2 import CreateRunRequest, ForkRunRequest
from services.trainer.records.records import Records


class Adding:
    """One at a time, so that a repeated request cannot overtake the first."""

    def __init__(
        self,
        records: Records,
        *,
        added: Callable[[str], None],
        leaves: Callable[[str], bool],
    ) -> None:
        """`leaves` says whether the checkpoints of a deleted run of that name are still there."""
        self._records = records
        self._added = added
        self._leaves = leaves
        self._turn = asyncio.Lock()

    async def add(
        self,
        request: CreateRunRequest | ForkRunRequest,
        *,
        prefix: str,
        make: Callable[[], Awaitable[Run]],
    ) -> str:
        """The id of a new run, or of the one that an equal request has made. `prefix` begins the
        id when neither the request nor a preset says it."""
        async with self._turn:
            if request.request_id:
                earlier = self._records.requested(request.request_id)
                if earlier is not None:
                    return names.run_id(earlier.name)
            self._refuse_taken(request.run_id)
            run = await make()
            run_id = request.run_id or self._free_id(run.preset or prefix)
            run.display_name = run.display_name or run_id
            self._records.add(run_id, run, request_id=request.request_id)
            self._added(run_id)
            return run_id

    def _refuse_taken(self, run_id: str) -> None:
        if run_id == names.IMPORTS:
            raise InvalidArgument.field(
                "run_id", f"{run_id} is where weights from elsewhere are kept; choose another id"
            )
        if run_id and self._records.has(run_id):
            trashed = self._records.get(run_id).HasField("delete_time")
            where = " in the trash" if trashed else ""
            raise AlreadyExists(
                f"there is a run called {run_id} already{where}; choose another id or delete that "
                "run for good",
                metadata={"run": run_id},
            )

        if run_id and self._leaves(run_id):
            raise Unavailable(
                f"the checkpoints of a run called {run_id} that was deleted are not gone yet, "
                "because the checkpoint service does not answer; try again or choose another id"
            )

    def _free_id(self, preset: str) -> str:
        while self._records.has(run_id := names.new_id(preset)):
            pass
        return run_id
