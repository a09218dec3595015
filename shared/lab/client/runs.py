"""Runs from a program: make them, steer them, follow them to their end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from lab.client.checkpoints import full_name as full_checkpoint_name
from lab.errors import Code, InvalidArgument, LabError
from lab.names import new_id, run_name
from lab.rpc.paging import pages
from lab.run_state import at_rest
from lab.spec import set_dotted
from lab.spec.fields import assign
from lab.v1 import trainer_service_pb2 as messages
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.event_pb2 import Event
from lab.v1.run_pb2 import LiveSettings, Run
from lab.v1.run_spec_pb2 import RunSpec
from lab.v1.series_pb2 import SeriesSet
from lab.v1.trainer_service_pb2 import QueuedRun

if TYPE_CHECKING:  # grpc generates these for type checkers only
    from lab.v1.trainer_service_pb2_grpc import TrainerServiceAsyncStub

# A new run may fetch and tokenise its corpus first; a save writes and syncs all weights.
SLOW_DEADLINE_SECS = 120.0
RECONNECT_SECS = 0.5
# What a call under way hears when its service is stopped, killed or not there yet.
_AWAY = frozenset((Code.UNAVAILABLE, Code.CANCELLED))


def full_name(run: str) -> str:
    """`runs/{run}` from a name or a bare id; raises InvalidArgument for anything else."""
    return run_name(run.removeprefix("runs/"))


class Runs:
    """Every verb takes a name or a bare id and answers the run as accepted."""

    def __init__(self, trainer: TrainerServiceAsyncStub) -> None:
        self._trainer = trainer

    async def create(
        self,
        preset: str,
        *,
        corpus: str | None = None,
        steps: int | None = None,
        epochs: float | None = None,
        learning_rate: float | None = None,
        batch: int | None = None,
        save: bool | None = None,
        save_every: int | None = None,
        prompts: Sequence[str] = (),
        settings: Sequence[str] = (),
        overrides: RunSpec | None = None,
        run_id: str = "",
        display_name: str = "",
        validate_only: bool = False,
    ) -> Run:
        """Queues a run. `overrides` is laid over the preset, then `settings` such as
        "model.layers=4", then the named arguments; what is left out stays as the preset has it.
        """
        spec = _asked(overrides, settings)
        _lay(spec.data, "data", corpus=corpus)
        _lay(spec.budget, "budget", steps=steps, epochs=epochs, batch=batch)
        _lay(spec.optimizer, "optimizer", learning_rate=learning_rate)
        _lay(spec.hooks, "hooks", checkpoint_on_stop=save, checkpoint_every=save_every)
        if prompts:
            _lay(spec.hooks, "hooks", sample_prompts=list(prompts))
        request = messages.CreateRunRequest(
            run_id=run_id,
            preset=preset,
            overrides=spec,
            request_id=new_id("create"),
            validate_only=validate_only,
            display_name=display_name,
        )
        return (await self._trainer.CreateRun(request, timeout=SLOW_DEADLINE_SECS)).run

    async def fork(
        self,
        checkpoint: str,
        *,
        steps: int | None = None,
        learning_rate: float | None = None,
        settings: Sequence[str] = (),
        overrides: RunSpec | None = None,
        run_id: str = "",
        display_name: str = "",
        validate_only: bool = False,
    ) -> Run:
        """Queues a run that goes on from a checkpoint, written "nano-1@500" or with its full name.
        What is not given stays as it was saved; the shape of the model has to."""
        spec = _asked(overrides, settings)
        _lay(spec.budget, "budget", steps=steps)
        _lay(spec.optimizer, "optimizer", learning_rate=learning_rate)
        request = messages.ForkRunRequest(
            checkpoint=full_checkpoint_name(checkpoint),
            run_id=run_id,
            overrides=spec,
            request_id=new_id("fork"),
            validate_only=validate_only,
            display_name=display_name,
        )
        return (await self._trainer.ForkRun(request, timeout=SLOW_DEADLINE_SECS)).run

    async def set_saving(
        self,
        run: str,
        *,
        every_steps: int | None = None,
        every_minutes: float | None = None,
        log_spaced: bool | None = None,
        best: bool | None = None,
        on_stop: bool | None = None,
        weights_only: bool | None = None,
    ) -> Run:
        """When a run that may be training is saved from now on, and whether with more than its
        weights; what is not given stays."""
        live = LiveSettings(
            checkpoint_every=every_steps,
            checkpoint_minutes=every_minutes,
            checkpoint_log_spaced=log_spaced,
            checkpoint_best=best,
            checkpoint_on_stop=on_stop,
            checkpoint_weights_only=weights_only,
        )
        request = messages.UpdateRunRequest(name=full_name(run), live=live)
        return (await self._trainer.UpdateRun(request)).run

    async def get(self, run: str) -> Run:
        return (await self._trainer.GetRun(messages.GetRunRequest(name=full_name(run)))).run

    async def list(self, *, trashed: bool = False) -> Sequence[Run]:
        """All runs, newest first; or those in the trash."""
        runs: list[Run] = []
        request = messages.ListRunsRequest(trashed=trashed)
        async for page in pages(self._trainer.ListRuns, request):
            runs += page.runs
        return runs

    async def pause(self, run: str) -> Run:
        return (await self._trainer.PauseRun(messages.PauseRunRequest(name=full_name(run)))).run

    async def resume(self, run: str) -> Run:
        """Goes on from a pause, or from the last checkpoint of a run that came to rest."""
        request = messages.ResumeRunRequest(name=full_name(run))
        return (await self._trainer.ResumeRun(request, timeout=SLOW_DEADLINE_SECS)).run

    async def advance(self, run: str, steps: int = 1) -> Run:
        """While paused: makes a few steps and pauses again."""
        request = messages.AdvanceRunRequest(name=full_name(run), steps=steps)
        return (await self._trainer.AdvanceRun(request)).run

    async def stop(self, run: str, *, save: bool | None = None) -> Run:
        """Ends at the next step boundary; `save` None leaves the choice to the run's spec."""
        request = messages.StopRunRequest(name=full_name(run), save=save)
        return (await self._trainer.StopRun(request)).run

    async def save(self, run: str, *, weights_only: bool = False) -> Checkpoint:
        """Writes a checkpoint now and answers when it is whole. With its weights only it is a third
        of the size, and the run cannot be resumed from it."""
        request = messages.SnapshotRunRequest(name=full_name(run), weights_only=weights_only)
        return (await self._trainer.SnapshotRun(request, timeout=SLOW_DEADLINE_SECS)).checkpoint

    async def peek(self, run: str) -> Checkpoint:
        """The weights of this moment, ready to be loaded by `models.load`."""
        request = messages.PeekRunRequest(name=full_name(run))
        return (await self._trainer.PeekRun(request, timeout=SLOW_DEADLINE_SECS)).peek

    async def delete(self, run: str, *, permanently: bool = False) -> Run | None:
        """Moves a run at rest to the trash, and its checkpoints to theirs; answers it as it is
        there, or None when it is gone for good."""
        request = messages.DeleteRunRequest(name=full_name(run), permanently=permanently)
        answer = await self._trainer.DeleteRun(request)
        return answer.run if answer.HasField("run") else None

    async def restore(self, run: str) -> Run:
        """Takes a run back from the trash, with the checkpoints that went there with it."""
        request = messages.RestoreRunRequest(name=full_name(run))
        return (await self._trainer.RestoreRun(request, timeout=SLOW_DEADLINE_SECS)).run

    async def queue(self) -> Sequence[QueuedRun]:
        """Who waits for a device slot, first in line first."""
        return (await self._trainer.GetQueue(messages.GetQueueRequest())).runs

    async def series(
        self, run: str, *names: str, step_from: int = 0, step_to: int = 0, max_points: int = 0
    ) -> SeriesSet:
        request = messages.QuerySeriesRequest(
            name=full_name(run),
            series=names,
            step_from=step_from,
            step_to=step_to,
            max_points=max_points,
        )
        return (await self._trainer.QuerySeries(request)).series

    async def facts(self, run: str, *kinds: str, limit: int = 0) -> Sequence[Event]:
        """The newest facts of given kinds, as in "text_sampled", oldest first."""
        request = messages.ListFactsRequest(name=full_name(run), kinds=kinds, limit=limit)
        return list((await self._trainer.ListFacts(request)).events)

    async def watch(
        self, run: str, *, after_sequence: int = 0, patience_secs: float = 60.0
    ) -> AsyncIterator[Event]:
        """Every fact after a sequence, then as they happen, until the run comes to rest.

        Goes on where it was when the trainer restarts; raises its error after `patience_secs`
        without an answer.
        """
        loop = asyncio.get_running_loop()
        last_answer = loop.time()
        while True:
            request = messages.WatchRunRequest(name=full_name(run), after_sequence=after_sequence)
            call = self._trainer.WatchRun(request)
            try:
                async for response in call:
                    last_answer = loop.time()
                    event = response.event
                    if event.sequence <= after_sequence:
                        continue
                    after_sequence = event.sequence
                    yield event
                    if await self._is_last(event):
                        return
            except LabError as error:
                if error.code not in _AWAY or loop.time() - last_answer > patience_secs:
                    raise
            finally:
                call.cancel()
            await asyncio.sleep(RECONNECT_SECS)

    async def position(self, run: str) -> int:
        """Sequence of the newest fact, for `watch` to go on from."""
        return (await self.series(run, "loss", max_points=4)).last_sequence

    async def wait(self, run: str, *, patience_secs: float = 60.0) -> Run:
        """The run as it is when it has come to rest."""
        position = await self.position(run)  # before the state, so that no end is missed
        current = await self.get(run)
        if not at_rest(current):
            async for _ in self.watch(run, after_sequence=position, patience_secs=patience_secs):
                pass
            current = await self.get(run)
        return current

    async def _is_last(self, event: Event) -> bool:
        """Whether nothing follows: the run came to rest, and was not resumed since."""
        fact = event.WhichOneof("fact")
        if fact == "run_deleted":
            return True
        if fact != "run_state_changed" or not at_rest(event.run_state_changed.run):
            return False
        now = await self.get(event.run)  # when it resumes by itself is a fact after this one
        return at_rest(now) and now.end_time == event.run_state_changed.run.end_time


def _asked(overrides: RunSpec | None, settings: Sequence[str]) -> RunSpec:
    """A spec of its own with the overrides, and over them settings such as "model.layers=4"."""
    spec = RunSpec()
    if overrides is not None:
        spec.CopyFrom(overrides)
    for setting in settings:
        set_dotted(spec, setting)
    return spec


def _lay(part: Message, section: str, **values: Any) -> None:
    """Sets what was given; raises InvalidArgument naming the field."""
    for name, value in values.items():
        if value is not None and (found := assign(part, name, value, path=section)):
            raise InvalidArgument.of(*found)
