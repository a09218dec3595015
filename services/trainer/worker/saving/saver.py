"""Writes saves beside the training: a copy at the step boundary, the rest in a thread.

One save is under way at a time. Who wants another waits for `free`.
"""

import contextlib
import os
import shutil
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from lab.v1.checkpoint_pb2 import CheckpointFile
from services.trainer.worker.saving.buffers import Buffers
from services.trainer.worker.saving.pacing import Pace, hurried
from services.trainer.worker.saving.state import Content, write

# Beside its pace the writer steps back for the training, so that it rather takes what that leaves.
# To a ninth of what one thread gets, not to the least of all: a busy machine would never end it.
_NICER = 9


Seal: TypeAlias = Callable[[Path, Sequence[CheckpointFile]], None]


@dataclass(frozen=True)
class Written:
    """A save on disk, or why it is not: then `problem` says it and there is no folder."""

    stall_secs: float  # for which training halted
    write_secs: float  # from the request until all was on disk
    problem: str = ""


class Saver:
    """`begin` copies and returns; `done` is called in the writer's thread when it is on disk."""

    def __init__(self) -> None:
        self.buffers = Buffers()
        self.free = True  # false from `begin` until just before `done`
        self._thread: threading.Thread | None = None
        self._pace = hurried()

    def begin(
        self,
        saved: Content,
        *,
        into: Path,
        prefix: str,
        began: float,
        pace: Pace,
        seal: Seal,
        done: Callable[[Written], None],
    ) -> bool:
        """Starts a save into a new folder below `into`; it was asked for at `began`, by the
        performance counter, and is written at that pace. `seal` is called when all files are on
        disk. Answers False when there is no memory for a copy: then training halts until all is
        written."""
        assert self.free, "one save at a time"
        self.wait()  # for the last words of the one before
        copy = self._copy(saved)
        stall_secs = time.perf_counter() - began
        if copy is None:
            done(_write(saved, into, prefix, hurried(), seal, began=began, stall_secs=None))
            return False

        def work() -> None:
            with contextlib.suppress(OSError):  # a politeness, not a need
                here = threading.get_native_id()
                nice = os.getpriority(os.PRIO_PROCESS, here) + _NICER
                os.setpriority(os.PRIO_PROCESS, here, min(19, nice))
            written = _write(copy, into, prefix, pace, seal, began=began, stall_secs=stall_secs)
            self.free = True
            done(written)

        self.free, self._pace = False, pace
        self._thread = threading.Thread(target=work, name="saving", daemon=True)
        self._thread.start()
        return True

    def hurry(self) -> None:
        """Somebody waits for the end of what is under way, or training needs no care any more."""
        self._pace.hurry()

    def wait(self) -> None:
        """Until nothing is under way."""
        self.hurry()
        if self._thread is not None:
            self._thread.join()

    def _copy(self, saved: Content) -> Content | None:
        try:
            return self.buffers.copy(saved) if self.buffers.fit(saved) else None
        except (MemoryError, RuntimeError):
            traceback.print_exc()
            self.buffers.release()
            return None


def _write(
    saved: Content,
    into: Path,
    prefix: str,
    pace: Pace,
    seal: Seal,
    *,
    began: float,
    stall_secs: float | None,
) -> Written:
    folder: Path | None = None
    problem = ""
    try:
        into.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=into))
        seal(folder, write(saved, folder, rest=pace.rest))
    except Exception as error:
        traceback.print_exc()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        problem = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
    write_secs = time.perf_counter() - began
    return Written(
        stall_secs=write_secs if stall_secs is None else stall_secs,
        write_secs=write_secs,
        problem=problem,
    )
