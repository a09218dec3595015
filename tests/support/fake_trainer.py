"""A trainer without training: runs, facts and series in memory, told by the test what happens."""

from __future__ import annotations

from typing import Any, TypeAlias

import grpc

from lab.errors import AlreadyExists, NotFound, PreconditionFailed
from lab.rpc.server import Servicer
from lab.v1 import corpus_pb2, run_pb2, trainer_service_pb2_grpc
from lab.v1 import recording_pb2 as recording
from lab.v1 import trainer_service_pb2 as t
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.event_pb2 import Event
from lab.v1.run_pb2 import Run
from lab.v1.series_pb2 import Series, SeriesSet
from lab.v1.tensor_pb2 import DTYPE_UINT8_SQRT, Tensor
from tests.support.scripted import Scripted

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class FakeTrainer(Scripted, trainer_service_pb2_grpc.TrainerServiceServicer):
    """`add_run`, then `record` facts: what ListFacts and QuerySeries answer follows from them."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: dict[str, Run] = {}
        self.facts: dict[str, list[Event]] = {}
        self.probes = [0, 1, 2]
        self.presets = [t.Preset(name="nano", description="small", parameters=9_940_000)]

    def servicer(self) -> Servicer:
        add = trainer_service_pb2_grpc.add_TrainerServiceServicer_to_server
        return Servicer(add, self, "lab.v1.TrainerService")

    def add_run(
        self, run_id: str, *, state: run_pb2.RunState.ValueType = run_pb2.RUN_STATE_RUNNING
    ) -> Run:
        name = f"runs/{run_id}"
        self.runs[name] = Run(name=name, display_name=run_id, state=state)
        self.facts[name] = []
        return self.runs[name]

    def record(self, event: Event) -> Event:
        """The fact, with its sequence, as the journal would have it before it is published."""
        facts = self.facts[event.run]
        event.sequence = len(facts) + 1
        event.time.GetCurrentTime()
        event.producer = "trainer"
        facts.append(event)
        if event.WhichOneof("fact") == "run_state_changed":
            self.runs[event.run] = event.run_state_changed.run
        return event

    def _run(self, name: str) -> Run:
        if name not in self.runs:
            raise NotFound(f"there is no run {name}")
        return self.runs[name]

    async def CreateRun(self, request: t.CreateRunRequest, context: Context) -> t.CreateRunResponse:
        await self.entering("CreateRun", request)
        if f"runs/{request.run_id}" in self.runs:
            raise AlreadyExists(f"runs/{request.run_id} exists already; choose another id")
        return t.CreateRunResponse(
            run=self.add_run(request.run_id or "nano-1", state=run_pb2.RUN_STATE_PENDING)
        )

    async def ForkRun(self, request: t.ForkRunRequest, context: Context) -> t.ForkRunResponse:
        await self.entering("ForkRun", request)
        run = self.add_run(request.run_id or "nano-2", state=run_pb2.RUN_STATE_PENDING)
        run.parent.checkpoint = request.checkpoint
        run.parent.run = request.checkpoint.partition("/checkpoints/")[0]
        return t.ForkRunResponse(run=run)

    async def GetRun(self, request: t.GetRunRequest, context: Context) -> t.GetRunResponse:
        await self.entering("GetRun", request)
        return t.GetRunResponse(run=self._run(request.name))

    async def ListRuns(self, request: t.ListRunsRequest, context: Context) -> t.ListRunsResponse:
        await self.entering("ListRuns", request)
        return t.ListRunsResponse(runs=list(self.runs.values()))

    async def UpdateRun(self, request: t.UpdateRunRequest, context: Context) -> t.UpdateRunResponse:
        await self.entering("UpdateRun", request)
        run = self._run(request.name)
        if request.HasField("display_name"):
            run.display_name = request.display_name
        if request.HasField("notes"):
            run.notes = request.notes
        return t.UpdateRunResponse(run=run)

    async def DeleteRun(self, request: t.DeleteRunRequest, context: Context) -> t.DeleteRunResponse:
        await self.entering("DeleteRun", request)
        del self.runs[self._run(request.name).name]
        return t.DeleteRunResponse()

    async def RestoreRun(
        self, request: t.RestoreRunRequest, context: Context
    ) -> t.RestoreRunResponse:
        await self.entering("RestoreRun", request)
        return t.RestoreRunResponse(run=self._run(request.name))

    async def GetQueue(self, request: t.GetQueueRequest, context: Context) -> t.GetQueueResponse:
        await self.entering("GetQueue", request)
        return t.GetQueueResponse(runs=[t.QueuedRun(run="runs/nano-2", starts_in_secs=60)])

    async def PauseRun(self, request: t.PauseRunRequest, context: Context) -> t.PauseRunResponse:
        await self.entering("PauseRun", request)
        run = self._run(request.name)
        if run.state == run_pb2.RUN_STATE_SUCCEEDED:
            raise PreconditionFailed(
                f"{run.name} is SUCCEEDED; allowed: delete",
                metadata={"state": "SUCCEEDED", "allowed": "delete"},
            )
        run.state = run_pb2.RUN_STATE_PAUSING
        return t.PauseRunResponse(run=run)

    async def ResumeRun(self, request: t.ResumeRunRequest, context: Context) -> t.ResumeRunResponse:
        await self.entering("ResumeRun", request)
        return t.ResumeRunResponse(run=self._run(request.name))

    async def AdvanceRun(
        self, request: t.AdvanceRunRequest, context: Context
    ) -> t.AdvanceRunResponse:
        await self.entering("AdvanceRun", request)
        return t.AdvanceRunResponse(run=self._run(request.name))

    async def StopRun(self, request: t.StopRunRequest, context: Context) -> t.StopRunResponse:
        await self.entering("StopRun", request)
        return t.StopRunResponse(run=self._run(request.name))

    async def SnapshotRun(
        self, request: t.SnapshotRunRequest, context: Context
    ) -> t.SnapshotRunResponse:
        await self.entering("SnapshotRun", request)
        name = f"{self._run(request.name).name}/checkpoints/step-00000010"
        return t.SnapshotRunResponse(checkpoint=Checkpoint(name=name, step=10))

    async def PeekRun(self, request: t.PeekRunRequest, context: Context) -> t.PeekRunResponse:
        await self.entering("PeekRun", request)
        return t.PeekRunResponse(peek=Checkpoint(name=f"{self._run(request.name).name}/peek"))

    async def QuerySeries(
        self, request: t.QuerySeriesRequest, context: Context
    ) -> t.QuerySeriesResponse:
        await self.entering("QuerySeries", request)
        self._run(request.name)
        facts = self.facts[request.name]
        steps = [fact.step_measured for fact in facts if fact.HasField("step_measured")]
        loss = Series(
            name="loss",
            steps=[step.step for step in steps],
            values=[step.loss for step in steps],
            complete=True,
            recorded=len(steps),
        )
        found = SeriesSet(run=request.name, series=[loss], last_sequence=len(facts))
        return t.QuerySeriesResponse(series=found)

    async def QueryHealth(
        self, request: recording.QueryHealthRequest, context: Context
    ) -> recording.QueryHealthResponse:
        await self.entering("QueryHealth", request)
        return recording.QueryHealthResponse(run=self._run(request.name).name)

    async def ListProbes(
        self, request: recording.ListProbesRequest, context: Context
    ) -> recording.ListProbesResponse:
        await self.entering("ListProbes", request)
        self._run(request.name)
        return recording.ListProbesResponse(steps=self.probes)

    async def GetProbe(
        self, request: recording.GetProbeRequest, context: Context
    ) -> recording.GetProbeResponse:
        await self.entering("GetProbe", request)
        self._run(request.name)
        if request.step not in self.probes:
            raise NotFound(f"the probe texts were not looked at after step {request.step}")
        weights = Tensor(shape=[1, 1, 2, 2], dtype=DTYPE_UINT8_SQRT, data=bytes([255, 0, 180, 180]))
        record = recording.ProbeRecord(step=request.step, layers=1, heads=1)
        record.texts.add().attention.CopyFrom(weights)
        return recording.GetProbeResponse(record=record)

    async def GetBatch(
        self, request: recording.GetBatchRequest, context: Context
    ) -> recording.GetBatchResponse:
        await self.entering("GetBatch", request)
        self._run(request.name)
        sequences = [recording.BatchSequence(index=0, loss=9.5, text="I HAD always")]
        return recording.GetBatchResponse(step=request.step, batch=4, sequences=sequences)

    async def ListFacts(self, request: t.ListFactsRequest, context: Context) -> t.ListFactsResponse:
        await self.entering("ListFacts", request)
        self._run(request.name)
        events = [
            fact
            for fact in self.facts[request.name]
            if fact.WhichOneof("fact") in request.kinds or not request.kinds
        ]
        return t.ListFactsResponse(events=events[-(request.limit or 500) :])

    async def ListPresets(
        self, request: t.ListPresetsRequest, context: Context
    ) -> t.ListPresetsResponse:
        await self.entering("ListPresets", request)
        return t.ListPresetsResponse(presets=self.presets)

    async def ListCorpora(
        self, request: t.ListCorporaRequest, context: Context
    ) -> t.ListCorporaResponse:
        await self.entering("ListCorpora", request)
        return t.ListCorporaResponse(corpora=[corpus_pb2.Corpus(name="corpora/verdict")])

    async def PreviewCorpus(
        self, request: t.PreviewCorpusRequest, context: Context
    ) -> t.PreviewCorpusResponse:
        await self.entering("PreviewCorpus", request)
        if request.name != "corpora/verdict":
            raise NotFound(f"no corpus is called {request.name}; known: verdict")
        return t.PreviewCorpusResponse(corpus=corpus_pb2.Corpus(name=request.name), text="I HAD")
