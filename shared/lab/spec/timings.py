"""Measured step times, one small file for each shape: real steps, made by a process of their own.

The process loads torch, so that who asks need not. What else a machine does makes steps slower, so
what was measured beside other programs is measured again.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from google.protobuf.message import DecodeError

import lab
from lab.errors import LabError, Unavailable
from lab.v1.run_spec_pb2 import RunSpec
from lab.v1.worker_pb2 import StepTiming

COMMAND = (sys.executable, "-m", "services.trainer.worker.timing")
PATIENCE_SECS = 300.0
STALE_SECS = 7 * 24 * 3_600.0  # machines change: another kernel, another neighbour
OLD_SECS = 24 * 3_600.0
BUSY_SECS = 600.0  # before a machine that was busy is tried again


@dataclass(frozen=True)
class Measured:
    """Times, and why they may be too long; empty when nothing is the matter. `again` says whether
    it is time to measure again."""

    timing: StepTiming
    doubt: str
    again: bool


class Timings:
    """Times by shape, in a folder. Several processes may use it at once."""

    def __init__(self, folder: Path, *, command: Sequence[str] = COMMAND) -> None:
        self._folder = folder
        self._command = command

    def find(self, spec: RunSpec) -> Measured | None:
        """What was measured for this shape on this machine, if it is not too old."""
        path = self._path(spec)
        try:
            age_secs = time.time() - path.stat().st_mtime
            timing = StepTiming.FromString(path.read_bytes())
        except (OSError, DecodeError):
            return None
        if age_secs > STALE_SECS:
            return None
        if timing.beside_others:
            doubt = "measured beside other programs; alone, steps may be faster"
            return Measured(timing, doubt, again=age_secs > BUSY_SECS)
        if age_secs > OLD_SECS:
            return Measured(timing, "measured more than a day ago", again=True)
        return Measured(timing, "", again=False)

    def keep(self, spec: RunSpec, timing: StepTiming) -> None:
        """What was measured on a busy machine does not replace what is faster."""
        before = self.find(spec) if timing.beside_others else None
        if before is not None and before.timing.step_secs <= timing.step_secs:
            timing = before.timing
            timing.beside_others = True  # it could not be confirmed
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self._folder, suffix=".tmp")
        with os.fdopen(descriptor, "wb") as file:
            file.write(timing.SerializeToString())
        Path(temporary).replace(self._path(spec))

    def measure(self, spec: RunSpec) -> Measured:
        """Found or measured now, which takes seconds to minutes; raises LabError."""
        found = self.find(spec)
        if found is not None and not found.again:
            return found
        try:
            done = subprocess.run(
                self._command,
                input=spec.SerializeToString(),
                capture_output=True,
                timeout=PATIENCE_SECS,
            )
        except subprocess.TimeoutExpired as error:
            raise too_slow() from error
        timing = read_answer(done.returncode, done.stdout, done.stderr)
        self.keep(spec, timing)
        return self.find(spec) or Measured(timing, "", again=False)

    def key(self, spec: RunSpec) -> str:
        """Of everything that a step's time depends on, the machine included."""
        hooks = spec.hooks
        parts = (
            spec.model.SerializeToString(deterministic=True),
            (spec.budget.batch, spec.budget.micro_batch, spec.budget.threads),
            (spec.budget.device, spec.budget.precision, bool(spec.optimizer.clip)),
            (spec.budget.processes, spec.budget.activation_checkpointing, spec.budget.compile),
            (bool(hooks.evaluate_every), bool(hooks.sample_every)),
            (hooks.sample_tokens, hooks.sample_top_k, hooks.sample_temperature),
            (lab.__version__, metadata.version("torch"), os.uname().nodename, os.cpu_count()),
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]

    def _path(self, spec: RunSpec) -> Path:
        return self._folder / f"{self.key(spec)}.timing"


def read_answer(code: int, stdout: bytes, stderr: bytes) -> StepTiming:
    """What the measuring process said; raises LabError with its reason."""
    if code == 0:
        return StepTiming.FromString(stdout)
    said = stderr.decode("utf-8", "replace").strip()
    if code == 2 and said:
        raise LabError(said)
    if code < 0:
        raise Unavailable(
            "the steps could not be measured: the process was killed; is memory short?"
        )
    raise Unavailable(
        f"the steps could not be measured: {(said.splitlines() or ['no reason'])[-1]}"
    )


def too_slow() -> Unavailable:
    return Unavailable(f"two steps of this shape take longer than {PATIENCE_SECS:.0f} s here")
