"""The runs as they are now, in memory; every change is written down and becomes a fact."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

from lab import names
from lab.errors import NotFound
from lab.run_state import ENDED
from lab.v1 import run_pb2
from lab.v1.event_pb2 import Event, RunDeleted, RunStateChanged
from lab.v1.run_pb2 import Run
from services.trainer.journal.journal import PRODUCER, Journal
from services.trainer.records import state
from services.trainer.records.state import Happening, State
from services.trainer.records.store import Store


class Records:
    """The one place where a run changes."""

    def __init__(
        self, store: Store, journal: Journal, *, publish: Callable[[Sequence[Event]], None]
    ) -> None:
        self._store = store
        self._journal = journal
        self._publish = publish
        self._runs: dict[str, Run] = {}
        self._requests: dict[str, str] = {}
        self._graves: dict[str, int] = {}

    def restore(
        self, runs: Iterable[Run], *, requests: dict[str, str], graves: dict[str, int]
    ) -> None:
        """What the store held at boot."""
        self._runs = {names.run_id(run.name): run for run in runs}
        self._requests = dict(requests)
        self._graves = dict(graves)

    def get(self, run_id: str) -> Run:
        """The live record; raises NotFound. Copy it before it leaves this service."""
        if run_id not in self._runs:
            raise NotFound(f"there is no run called {run_id}; see the list of runs")
        return self._runs[run_id]

    def has(self, run_id: str) -> bool:
        return run_id in self._runs

    def all(self) -> list[Run]:
        """Newest first, without those in the trash."""
        return _newest_first(run for run in self._runs.values() if not run.HasField("delete_time"))

    def trashed(self) -> list[Run]:
        """Those in the trash, newest first."""
        return _newest_first(run for run in self._runs.values() if run.HasField("delete_time"))

    def requested(self, request_id: str) -> Run | None:
        """The run an earlier, equal request made; None when there was none or it is deleted."""
        return self._runs.get(self._requests.get(request_id, ""))

    def add(self, run_id: str, run: Run, *, request_id: str) -> int:
        """A new run. Answers the sequence of the fact that says so."""
        run.name = names.run_name(run_id)
        run.create_time.GetCurrentTime()
        run.allowed_verbs[:] = state.allowed(run)
        self._runs[run_id] = run
        if request_id:
            self._requests[request_id] = run_id
        self._journal.begin(run_id, after_sequence=self._graves.get(run_id, 0))
        self._store.save_run(run_id, run, request_id=request_id)
        return self._tell(run_id, run)

    def move(self, run_id: str, to: State, *, reason: str = "") -> int:
        """Puts the run into a state. Answers the sequence of the fact that says so."""
        run = self.get(run_id)
        run.state = to
        run.state_reason = reason
        run.ClearField("restart_time")
        if to == run_pb2.RUN_STATE_STARTING and not run.HasField("start_time"):
            run.start_time.GetCurrentTime()
        if to in ENDED:
            run.end_time.GetCurrentTime()
            run.stats.ClearField("remaining_secs")
        else:
            run.ClearField("end_time")
        return self.changed(run_id)

    def happen(self, run_id: str, happening: Happening, *, reason: str = "") -> bool:
        """Moves the run if the table says so; whether it did."""
        to = state.after(self.get(run_id).state, happening)
        if to is None:
            return False
        self.move(run_id, to, reason=reason)
        return True

    def changed(self, run_id: str) -> int:
        """Writes the record down as it is and says so."""
        run = self.get(run_id)
        run.allowed_verbs[:] = state.allowed(run)
        self._store.save_run(run_id, run)
        return self._tell(run_id, run)

    def say(self, run_id: str, fact: Event) -> int:
        """Any other fact about the run."""
        return self._journal.append(run_id, fact)

    def remove(self, run_id: str) -> tuple[Run, Event]:
        """Takes the run out and answers it with the last fact about it, numbered but not yet
        written."""
        run = self._runs.pop(run_id)
        farewell = Event(
            run=run.name,
            sequence=self._journal.last_sequence(run_id) + 1,
            producer=PRODUCER,
            run_deleted=RunDeleted(),
        )
        farewell.time.FromNanoseconds(time.time_ns())
        self._graves[run_id] = farewell.sequence
        return run, farewell

    async def bury(self, last: Run, farewell: Event) -> None:
        """Removes the run from disk and says so; answers when it is gone."""
        buried = asyncio.get_running_loop().create_future()
        self._store.bury_run(last, farewell, done=lambda: buried.set_result(None))
        await buried
        await self._journal.remove(names.run_id(last.name))
        self._publish([farewell])

    def last_word(self, run_id: str) -> Event:
        """What those who still listen to a deleted run are told."""
        return Event(
            run=names.run_name(run_id),
            sequence=self._graves.get(run_id, 0),
            producer=PRODUCER,
            run_deleted=RunDeleted(),
        )

    def _tell(self, run_id: str, run: Run) -> int:
        return self._journal.append(run_id, Event(run_state_changed=RunStateChanged(run=run)))


def _newest_first(runs: Iterable[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: (run.create_time.ToNanoseconds(), run.name), reverse=True)
