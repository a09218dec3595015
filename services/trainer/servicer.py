"""TrainerService: from messages to calls and back. No decisions in here."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Final, TypeAlias

import grpc

from lab import names
from lab.errors import InvalidArgument, NotFound, OverLimit
from lab.limits import MAX_FACTS
from lab.rpc.paging import page_size
from lab.spec import load_presets
from lab.text import Corpora
from lab.v1 import recording_pb2 as recording
from lab.v1 import trainer_service_pb2 as messages
from lab.v1.event_pb2 import Event
from lab.v1.run_pb2 import Run
from lab.v1.series_pb2 import SeriesSet
from lab.v1.trainer_service_pb2_grpc import TrainerServiceServicer
from services.trainer.history.batch_text import read_batch
from services.trainer.history.health import read_health
from services.trainer.history.means import read_means
from services.trainer.history.probes import get_probe, list_probes
from services.trainer.history.series import read_series
from services.trainer.journal import journal_file
from services.trainer.journal.journal import Journal
from services.trainer.runs.lineage import ancestors
from services.trainer.runs.preflights import Preflights
from services.trainer.runs.queue import Queue
from services.trainer.runs.runs import Runs

DEFAULT_FACTS = 500
KINDS: Final = tuple(field.name for field in Event.DESCRIPTOR.oneofs_by_name["fact"].fields)

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class TrainerServicer(TrainerServiceServicer):
    def __init__(
        self,
        runs: Runs,
        journal: Journal,
        corpora: Corpora,
        preflights: Preflights,
        queue: Queue,
    ) -> None:
        self._runs = runs
        self._journal = journal
        self._corpora = corpora
        self._preflights = preflights
        self._queue = queue

    async def CreateRun(
        self, request: messages.CreateRunRequest, context: Context
    ) -> messages.CreateRunResponse:
        run = await self._runs.create(request)
        if request.validate_only:
            return messages.CreateRunResponse(run=run, preflight=await self._preflights.of(run))
        return messages.CreateRunResponse(run=run)

    async def ForkRun(
        self, request: messages.ForkRunRequest, context: Context
    ) -> messages.ForkRunResponse:
        run = await self._runs.fork(request)
        if request.validate_only:
            return messages.ForkRunResponse(run=run, preflight=await self._preflights.of(run))
        return messages.ForkRunResponse(run=run)

    async def GetRun(
        self, request: messages.GetRunRequest, context: Context
    ) -> messages.GetRunResponse:
        return messages.GetRunResponse(run=self._runs.get(names.run_id(request.name)))

    async def ListRuns(
        self, request: messages.ListRunsRequest, context: Context
    ) -> messages.ListRunsResponse:
        size = page_size(request.page_size)
        listed = self._runs.trashed() if request.trashed else self._runs.all()
        runs, token = _page(listed, request.page_token, size)
        return messages.ListRunsResponse(runs=runs, next_page_token=token)

    async def UpdateRun(
        self, request: messages.UpdateRunRequest, context: Context
    ) -> messages.UpdateRunResponse:
        run = await self._runs.update(names.run_id(request.name), request)
        return messages.UpdateRunResponse(run=run)

    async def DeleteRun(
        self, request: messages.DeleteRunRequest, context: Context
    ) -> messages.DeleteRunResponse:
        trashed = await self._runs.delete(
            names.run_id(request.name), permanently=request.permanently
        )
        return messages.DeleteRunResponse(run=trashed)

    async def RestoreRun(
        self, request: messages.RestoreRunRequest, context: Context
    ) -> messages.RestoreRunResponse:
        return messages.RestoreRunResponse(run=await self._runs.restore(names.run_id(request.name)))

    async def GetQueue(
        self, request: messages.GetQueueRequest, context: Context
    ) -> messages.GetQueueResponse:
        return messages.GetQueueResponse(runs=await self._queue.look())

    async def PauseRun(
        self, request: messages.PauseRunRequest, context: Context
    ) -> messages.PauseRunResponse:
        run = await self._runs.pause(names.run_id(request.name))
        return messages.PauseRunResponse(run=run)

    async def ResumeRun(
        self, request: messages.ResumeRunRequest, context: Context
    ) -> messages.ResumeRunResponse:
        run = await self._runs.resume(names.run_id(request.name))
        return messages.ResumeRunResponse(run=run)

    async def AdvanceRun(
        self, request: messages.AdvanceRunRequest, context: Context
    ) -> messages.AdvanceRunResponse:
        run = await self._runs.advance(names.run_id(request.name), request.steps)
        return messages.AdvanceRunResponse(run=run)

    async def StopRun(
        self, request: messages.StopRunRequest, context: Context
    ) -> messages.StopRunResponse:
        save = request.save if request.HasField("save") else None
        run = await self._runs.stop(names.run_id(request.name), save=save)
        return messages.StopRunResponse(run=run)

    async def SnapshotRun(
        self, request: messages.SnapshotRunRequest, context: Context
    ) -> messages.SnapshotRunResponse:
        checkpoint = await self._runs.snapshot(
            names.run_id(request.name), weights_only=request.weights_only
        )
        return messages.SnapshotRunResponse(checkpoint=checkpoint)

    async def PeekRun(
        self, request: messages.PeekRunRequest, context: Context
    ) -> messages.PeekRunResponse:
        return messages.PeekRunResponse(peek=await self._runs.peek(names.run_id(request.name)))

    async def QuerySeries(
        self, request: messages.QuerySeriesRequest, context: Context
    ) -> messages.QuerySeriesResponse:
        run_id = names.run_id(request.name)
        run = self._runs.get(run_id)
        answer = messages.QuerySeriesResponse(
            series=await self._series(run_id, request, step_to=request.step_to)
        )
        if request.inherited:
            for ancestor in ancestors(run, self._runs.find):
                step_to = min(request.step_to or ancestor.to_step, ancestor.to_step)
                answer.inherited.append(
                    await self._series(ancestor.run_id, request, step_to=step_to)
                )
        return answer

    async def QueryHealth(
        self, request: recording.QueryHealthRequest, context: Context
    ) -> recording.QueryHealthResponse:
        run_id = names.run_id(request.name)
        self._runs.get(run_id)
        return await self._journal.read(
            run_id,
            partial(
                read_health,
                run=request.name,
                metric=request.metric,
                step_from=request.step_from,
                step_to=request.step_to,
                max_columns=request.max_columns,
            ),
        )

    async def ListProbes(
        self, request: recording.ListProbesRequest, context: Context
    ) -> recording.ListProbesResponse:
        run_id = names.run_id(request.name)
        self._runs.get(run_id)
        return await self._journal.read(
            run_id, partial(list_probes, scores=request.scores, limit=request.limit)
        )

    async def GetProbe(
        self, request: recording.GetProbeRequest, context: Context
    ) -> recording.GetProbeResponse:
        run_id = names.run_id(request.name)
        self._runs.get(run_id)
        record = await self._journal.read(run_id, partial(get_probe, step=request.step))
        return recording.GetProbeResponse(record=record)

    async def GetBatch(
        self, request: recording.GetBatchRequest, context: Context
    ) -> recording.GetBatchResponse:
        run_id = names.run_id(request.name)
        run = self._runs.get(run_id)
        recorded = await self._journal.read(run_id, partial(journal_file.batch, step=request.step))
        if recorded is None:
            raise NotFound(f"the batch of step {request.step} of {request.name} was not recorded")
        return await asyncio.to_thread(
            read_batch,
            run,
            request.step,
            recorded,
            corpora_folder=self._corpora.folder,
            sequences=request.sequences,
        )

    async def WatchRun(
        self, request: messages.WatchRunRequest, context: Context
    ) -> AsyncIterator[messages.WatchRunResponse]:
        run_id = names.run_id(request.name)
        async for event in self._runs.watch(run_id, after_sequence=request.after_sequence):
            yield messages.WatchRunResponse(event=event)

    async def ListFacts(
        self, request: messages.ListFactsRequest, context: Context
    ) -> messages.ListFactsResponse:
        run_id = names.run_id(request.name)
        self._runs.get(run_id)
        kinds = list(request.kinds)
        for kind in kinds:
            if kind not in KINDS:
                raise InvalidArgument.field(
                    "kinds", f'"{kind[:40]}" is no kind of fact; there are {", ".join(KINDS)}'
                )
        limit = _limited("limit", request.limit, default=DEFAULT_FACTS, limit=MAX_FACTS)
        events = await self._journal.read(
            run_id, partial(journal_file.newest_facts, kinds=kinds, limit=limit)
        )
        return messages.ListFactsResponse(events=events)

    async def ListPresets(
        self, request: messages.ListPresetsRequest, context: Context
    ) -> messages.ListPresetsResponse:
        presets = await asyncio.to_thread(load_presets)
        return messages.ListPresetsResponse(presets=presets.values())

    async def ListCorpora(
        self, request: messages.ListCorporaRequest, context: Context
    ) -> messages.ListCorporaResponse:
        corpora = await asyncio.to_thread(self._corpora.list)
        return messages.ListCorporaResponse(corpora=corpora)

    async def PreviewCorpus(
        self, request: messages.PreviewCorpusRequest, context: Context
    ) -> messages.PreviewCorpusResponse:
        corpus, text = await asyncio.to_thread(self._corpora.preview, names.corpus_id(request.name))
        return messages.PreviewCorpusResponse(corpus=corpus, text=text)

    async def _series(
        self, run_id: str, request: messages.QuerySeriesRequest, *, step_to: int
    ) -> SeriesSet:
        run = self._runs.get(run_id)
        if request.mean_of_steps:
            means = partial(
                read_means,
                run=run.name,
                names=list(request.series),
                steps=request.mean_of_steps,
                step_from=request.step_from,
                step_to=step_to,
            )
            return await self._journal.read(run_id, means)
        return await self._journal.read(
            run_id,
            partial(
                read_series,
                run=run.name,
                names=list(request.series),
                step_from=request.step_from,
                step_to=step_to,
                max_points=request.max_points,
                clip=run.spec.optimizer.clip,
            ),
        )


def _limited(field: str, asked: int, *, default: int, limit: int) -> int:
    if asked > limit:
        raise OverLimit.field(field, f"must be at most {limit:,}, but is {asked:,}")
    return asked or default


def _page(runs: list[Run], token: str, size: int) -> tuple[list[Run], str]:
    """The runs after the one the token names; a run that was deleted meanwhile loses nothing."""
    if token:
        created, name = _place(token)
        runs = [
            run for run in runs if (run.create_time.ToNanoseconds(), run.name) < (created, name)
        ]
    page = runs[:size]
    if len(runs) <= size:
        return page, ""
    last = page[-1]
    place = f"{last.create_time.ToNanoseconds()} {last.name}"
    return page, base64.urlsafe_b64encode(place.encode()).decode()


def _place(token: str) -> tuple[int, str]:
    try:
        created, name = base64.urlsafe_b64decode(token.encode()).decode().split(" ")
        return int(created), name
    except (binascii.Error, ValueError):
        raise InvalidArgument.field(
            "page_token", "is not one that ListRuns gave; leave it empty for the first page"
        ) from None
