"""What runs recorded beside their metrics: health of tensors, looks at probe texts, batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lab.client.arrays import numbers
from lab.client.runs import full_name
from lab.v1 import recording_pb2 as messages
from lab.v1.recording_pb2 import GetBatchResponse, ProbeRecord, QueryHealthResponse

if TYPE_CHECKING:  # grpc generates these for type checkers only
    from lab.v1.trainer_service_pb2_grpc import TrainerServiceAsyncStub


class Recordings:
    """Every question takes a run's name or its bare id."""

    def __init__(self, trainer: TrainerServiceAsyncStub) -> None:
        self._trainer = trainer

    async def health(
        self, run: str, metric: str = "", *, step_from: int = 0, step_to: int = 0
    ) -> QueryHealthResponse:
        """One metric of every tensor or layer over the run; "" is the update ratio."""
        request = messages.QueryHealthRequest(
            name=full_name(run), metric=metric, step_from=step_from, step_to=step_to
        )
        return await self._trainer.QueryHealth(request)

    async def probes(
        self, run: str, *, scores: bool = False, limit: int = 0
    ) -> Sequence[ProbeRecord]:
        """Looks at the run's probe texts, by step, without attention."""
        request = messages.ListProbesRequest(name=full_name(run), scores=scores, limit=limit)
        return list((await self._trainer.ListProbes(request)).records)

    async def probe(self, run: str, step: int) -> ProbeRecord:
        """One look, with attention; `lab.client.arrays.numbers` reads it."""
        request = messages.GetProbeRequest(name=full_name(run), step=step)
        return (await self._trainer.GetProbe(request)).record

    async def batch(self, run: str, step: int, *sequences: int) -> GetBatchResponse:
        """The text a step has read; without places in the batch, the worst ones first."""
        request = messages.GetBatchRequest(name=full_name(run), step=step, sequences=sequences)
        return await self._trainer.GetBatch(request)


def health_rows(answer: QueryHealthResponse) -> Mapping[str, Sequence[float]]:
    """The values of each tensor or layer, in the order of `answer.steps`."""
    return dict(zip(answer.rows, numbers(answer.values).rows(), strict=True))
