"""What a run would take, for those who ask before they start it.

Times are measured by a process of its own, one at a time, while nothing trains: the answer does not
wait for it, it says that they are being measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import structlog

from lab.errors import LabError
from lab.spec import Machine, Times, Timings, preflight, this_machine
from lab.spec.timings import COMMAND, PATIENCE_SECS, read_answer, too_slow
from lab.text import Corpora
from lab.v1.preflight_pb2 import (
    TIMING_SOURCE_MEASURED,
    TIMING_SOURCE_MEASURING,
    TIMING_SOURCE_NONE,
    Preflight,
)
from lab.v1.run_pb2 import Run
from lab.v1.run_spec_pb2 import RunSpec

QUIET_SECS: Final = 1.5  # who types a number asks at every digit
RUN_BEGAN_POLL_SECS: Final = 0.3

log = structlog.get_logger()


class Preflights:
    """Measures the newest shape that was asked for; an older one that has not begun is dropped."""

    def __init__(
        self,
        corpora: Corpora,
        home: Path,
        *,
        training: Callable[[], bool],
        nice: int = 0,
        command: Sequence[str] = COMMAND,
        quiet_secs: float = QUIET_SECS,
    ) -> None:
        self._corpora = corpora
        self._home = home
        self._timings = Timings(home / "timings")
        self._training = training
        self._nice = nice
        self._command = command
        self._quiet_secs = quiet_secs
        self._wanted: RunSpec | None = None
        self._asked = asyncio.Event()
        self._shape = ""  # of what is wanted
        self._failed = ("", "")  # a shape that cannot be measured, and why

    async def of(self, run: Run) -> Preflight:
        """Of a run as it would be."""
        times = await asyncio.to_thread(self._times, run.spec)
        shape = self._timings.key(run.spec)
        if times.source == TIMING_SOURCE_MEASURING and shape != self._shape:
            self._shape, self._wanted = shape, run.spec
            self._asked.set()
        return await asyncio.to_thread(self._answer, run.spec, times)

    def shape(self, spec: RunSpec) -> str:
        """Equal for specs whose steps take equally long on this machine."""
        return self._timings.key(spec)

    def measured_secs(self, spec: RunSpec) -> float | None:
        """Of the whole run; None when no step of its shape was measured. Reads files."""
        found = self._timings.find(spec)
        if found is None:
            return None
        times = Times(TIMING_SOURCE_MEASURED, found.timing)
        return self._answer(spec, times).duration_secs

    async def measure(self) -> None:
        """Goes on for as long as the service lives."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), self._quiet_secs)
                continue  # another shape was asked for
            spec, shape = self._wanted, self._shape
            if spec is not None and not self._training():
                try:
                    await self._measure(spec)
                except LabError as error:
                    log.warning("steps could not be measured", reason=error.message)
                    self._failed = (shape, error.message)
            if self._shape == shape:
                self._shape = ""  # whoever asks for it again is heard again

    def _times(self, spec: RunSpec) -> Times:
        failed = self._failed[0] == self._timings.key(spec)
        if found := self._timings.find(spec):
            again = found.again and not failed and not self._training()
            return Times(
                TIMING_SOURCE_MEASURING if again else TIMING_SOURCE_MEASURED,
                found.timing,
                note=found.doubt,
            )
        if failed:
            return Times(TIMING_SOURCE_NONE, note=self._failed[1])
        if self._training():
            note = "a run is training: times measured beside it would be wrong"
            return Times(TIMING_SOURCE_NONE, note=note)
        return Times(TIMING_SOURCE_MEASURING)

    def _answer(self, spec: RunSpec, times: Times) -> Preflight:
        train, validation = self._corpora.split_sizes(
            spec.data.corpus, validation_fraction=spec.data.validation_fraction
        )
        return preflight(
            spec,
            train_tokens=train,
            validation_tokens=validation,
            machine=self._machine(),
            times=times,
        )

    def _machine(self) -> Machine:
        return this_machine(disk_free_bytes=shutil.disk_usage(self._home).free)

    async def _measure(self, spec: RunSpec) -> None:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
        )
        talking = asyncio.create_task(process.communicate(spec.SerializeToString()))
        try:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.setpriority(os.PRIO_PROCESS, process.pid, self._nice)  # as a real worker
            deadline = asyncio.get_running_loop().time() + PATIENCE_SECS
            while not talking.done():
                await asyncio.wait([talking], timeout=RUN_BEGAN_POLL_SECS)
                if self._training():
                    return  # a run comes first, and times taken beside it would be wrong
                if asyncio.get_running_loop().time() > deadline:
                    raise too_slow()
            stdout, stderr = await talking
        finally:
            if process.returncode is None:
                process.kill()
            await asyncio.wait([talking])
        timing = read_answer(process.returncode or 0, stdout, stderr)
        await asyncio.to_thread(self._timings.keep, spec, timing)
