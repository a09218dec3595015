"""Measured step times, one small file for each shape: real steps, made by a process of their own.

The process loads torch, so that who asks need not.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
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


class Timings:
    """Times by shape, in a folder. Several processes may use it at once."""

    def __init__(self, folder: Path, *, command: Sequence[str] = COMMAND) -> None:
        self._folder = folder
        self._command = command

    def find(self, spec: RunSpec) -> StepTiming | None:
        """What was measured for this shape on this machine, if it is not too old."""
        path = self._path(spec)
        try:
            if time.time() - path.stat().st_mtime > STALE_SECS:
                return None
            return StepTiming.FromString(path.read_bytes())
        except (OSError, DecodeError):
            return None

    def keep(self, spec: RunSpec, timing: StepTiming) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self._folder, suffix=".tmp")
        with os.fdopen(descriptor, "wb") as file:
            file.write(timing.SerializeToString())
        Path(temporary).replace(self._path(spec))

    def measure(self, spec: RunSpec) -> StepTiming:
        """Found or measured now, which takes seconds to minutes; raises LabError."""
        if found := self.find(spec):
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
        return timing

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
