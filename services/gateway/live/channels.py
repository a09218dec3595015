"""The table of channels: name, where its events are, who knows its state, what may be left out.

Adding a channel is adding a row.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from lab.bus.streams import RUNS, STEPS
from lab.bus.subjects import topic
from lab.errors import NotFound
from lab.limits import MAX_POINTS
from lab.names import ID_PATTERN, run_name
from lab.rpc.paging import pages
from lab.v1 import checkpoint_service_pb2 as checkpoints
from lab.v1 import trainer_service_pb2 as trainer
from lab.v1.event_pb2 import Event
from lab.v1.live_pb2 import CheckpointList, EventList, RunDetail, RunList, Snapshot
from services.gateway.live.outbox import Policy
from services.gateway.upstream import Upstream, ask

MAX_LISTED = 2_000  # runs or checkpoints in a snapshot
SAMPLES, LOGS, CHART_FACTS = 200, 500, 5_000


@dataclass(frozen=True)
class State:
    """What a channel's owner says now.

    `sequence` is that of the newest fact of the run the state is known to include, if it is about
    one run: publications up to it would tell the same again.
    """

    snapshot: Snapshot
    sequence: int = 0


@dataclass(frozen=True)
class Channel:
    """A channel whose events come from one stream."""

    name: str
    stream: str
    subjects: tuple[str, ...]
    policy: Policy
    state: Callable[[int], Awaitable[State]]  # given the points per metric that are wanted


_NAME = re.compile(rf"runs/(?P<run>{ID_PATTERN})(?P<part>/[a-z]+)?")
_RUN_TOPICS: Final = ("run", "eval", "checkpoint", "interval", "health", "spike", "probe")
_KNOWN: Final = (
    "runs, runs/{run}, runs/{run}/steps, runs/{run}/samples, runs/{run}/logs, checkpoints, "
    "generations/{generation}, system"
)


def unknown_channel() -> NotFound:
    return NotFound(f"there is no such channel; there are: {_KNOWN}")


class Channels:
    """Finds the row of a name."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def find(self, name: str) -> Channel:
        """Raises NotFound. Whether the run exists is found out by its snapshot."""
        if name == "runs":
            return Channel(name, RUNS, (topic("run"),), Policy.ALL, self._runs)
        if name == "checkpoints":
            return Channel(name, RUNS, (topic("checkpoint"),), Policy.ALL, self._checkpoints)
        match = _NAME.fullmatch(name)
        if match is None:
            raise unknown_channel()
        run = match["run"]
        return self._of_run(name, run, match["part"] or "")

    def _of_run(self, name: str, run: str, part: str) -> Channel:
        of = run_name(run)
        if part == "":
            subjects = tuple(topic(each, run) for each in _RUN_TOPICS)
            return Channel(name, RUNS, subjects, Policy.ALL, lambda _: self._run(of))
        if part == "/steps":
            return Channel(
                name,
                STEPS,
                (topic("step", run),),
                Policy.SERIES,
                lambda max_points: self._series(of, max_points),
            )
        if part == "/samples":
            return Channel(
                name,
                RUNS,
                (topic("sample", run),),
                Policy.ALL,
                lambda _: self._events(of, ("text_sampled",), SAMPLES),
            )
        if part == "/logs":
            return Channel(
                name,
                RUNS,
                (topic("log", run),),
                Policy.SERIES,
                lambda _: self._events(of, ("log_written", "settings_changed"), LOGS),
            )
        raise unknown_channel()

    async def _runs(self, _: int) -> State:
        found = RunList()
        method = partial(ask, self._upstream.trainer.ListRuns)
        async for page in pages(method, trainer.ListRunsRequest()):
            found.runs.extend(page.runs)
            if len(found.runs) >= MAX_LISTED:
                break
        return State(Snapshot(runs=found))

    async def _checkpoints(self, _: int) -> State:
        found = CheckpointList()
        method = partial(ask, self._upstream.checkpoint.ListCheckpoints)
        async for page in pages(method, checkpoints.ListCheckpointsRequest()):
            found.checkpoints.extend(page.checkpoints)
            if len(found.checkpoints) >= MAX_LISTED:
                break
        return State(Snapshot(checkpoints=found))

    async def _run(self, name: str) -> State:
        # Facts before the run: the run then includes every fact that is listed, and may be ahead.
        kinds = ("evaluation_completed", "checkpoint_committed")
        events = await self._facts(name, kinds, CHART_FACTS)
        run = (await ask(self._upstream.trainer.GetRun, trainer.GetRunRequest(name=name))).run
        return State(Snapshot(run=RunDetail(run=run, events=events)), _newest(events))

    async def _series(self, name: str, max_points: int) -> State:
        query = trainer.QuerySeriesRequest(name=name, max_points=min(max_points, MAX_POINTS))
        series = (await ask(self._upstream.trainer.QuerySeries, query)).series
        return State(Snapshot(series=series), series.last_sequence)

    async def _events(self, name: str, kinds: tuple[str, ...], limit: int) -> State:
        events = await self._facts(name, kinds, limit)
        return State(Snapshot(events=EventList(events=events)), _newest(events))

    async def _facts(self, name: str, kinds: tuple[str, ...], limit: int) -> list[Event]:
        query = trainer.ListFactsRequest(name=name, kinds=kinds, limit=limit)
        return list((await ask(self._upstream.trainer.ListFacts, query)).events)


def _newest(events: list[Event]) -> int:
    return max((event.sequence for event in events), default=0)
