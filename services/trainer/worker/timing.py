"""`python -m services.trainer.worker.timing`: makes a few real steps of a spec, tells their time.

It reads a serialised RunSpec from stdin and writes a serialised StepTiming to stdout. The text is
noise: what a step takes does not depend on it, and so no corpus needs to be here.
"""

import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from lab.errors import LabError
from lab.text.from_tokens import write_tokens
from lab.v1.run_spec_pb2 import RunSpec
from lab.v1.worker_pb2 import StartTraining, StepTiming
from services.trainer.worker.memory import keep_memory

MAX_STEPS = 8
ENOUGH_SECS = 6.0  # of steps, after the first


def measure(spec: RunSpec) -> StepTiming:
    """The first step is not counted: memory and kernels are new to it."""
    with tempfile.TemporaryDirectory(prefix="lab-timing-") as folder:
        return _measure(spec, Path(folder))


def _measure(spec: RunSpec, folder: Path) -> StepTiming:
    # torch takes a second or two to import; that is part of the start, and of what is told.
    from services.trainer.worker.recording.evaluate import evaluate
    from services.trainer.worker.recording.sample import continue_prompt
    from services.trainer.worker.recording.usage import Others
    from services.trainer.worker.step import training_step
    from services.trainer.worker.training import build, short_of_cores

    others = Others()
    spec.data.corpus, spec.data.validation_fraction = "noise", 0.5
    spec.budget.steps = max(spec.budget.steps, MAX_STEPS + 1)
    windows = max(2, spec.budget.micro_batch)
    noise = np.random.PCG64(0).random_raw(2 * (windows * spec.model.context + 1))
    write_tokens(folder / spec.data.corpus, [noise % spec.model.vocab_size])
    training = build(StartTraining(run="runs/timing", spec=spec, corpora_folder=str(folder)))
    timing = StepTiming(start_secs=time.time() - psutil.Process().create_time())
    training_step(training)
    secs: list[float] = []
    while len(secs) < MAX_STEPS and (not secs or sum(secs) < ENOUGH_SECS):
        began = time.perf_counter()
        training_step(training)
        secs.append(time.perf_counter() - began)
    timing.step_secs, timing.steps = statistics.median(secs), len(secs)
    timing.beside_others = short_of_cores(training, others.cores())
    hooks = spec.hooks
    if hooks.evaluate_every:
        hooks.evaluate_batches = 1
        began = time.perf_counter()
        evaluate(training)
        timing.evaluation_batch_secs = time.perf_counter() - began
    if hooks.sample_every:
        began = time.perf_counter()
        continue_prompt(
            training.model,
            [0],
            tokens=hooks.sample_tokens,
            temperature=hooks.sample_temperature,
            top_k=hooks.sample_top_k,
            seed=0,
        )
        timing.sample_secs = time.perf_counter() - began
    timing.peak_memory_bytes = _peak_memory_bytes()
    return timing


def _peak_memory_bytes() -> int:
    """getrusage would count the memory of the process that started this one, too."""
    try:
        status = Path("/proc/self/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line) * 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def main() -> int:
    keep_memory()
    spec = RunSpec.FromString(sys.stdin.buffer.read())
    try:
        if spec.budget.processes > 1:  # one alone would have their cores and memory to itself
            raise LabError("times are measured of runs in one process only")
        timing = measure(spec)
    except LabError as error:
        sys.stderr.write(error.message)
        return 2
    sys.stdout.buffer.write(timing.SerializeToString())
    return 0


if __name__ == "__main__":
    sys.exit(main())
