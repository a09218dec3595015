"""What a save costs the training: `python -m tests.benchmarks.save_steps nano 8 2 6` makes saves
beside real steps and answers with one line of JSON for each.

Steps come in windows: those made while a save is under way, and as many quiet ones after it.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from services.trainer.worker.memory import keep_memory


def main(preset: str, batch: int, threads: int, saves: int) -> None:
    keep_memory()
    import torch

    from lab.v1.worker_pb2 import STAGING_KIND_CHECKPOINT, StageCheckpoint, WorkerEvent
    from services.trainer.worker.control import Control
    from services.trainer.worker.hooks.checkpoints import Checkpoints
    from services.trainer.worker.step import training_step
    from tests.benchmarks.train_steps import made_training, spec_of

    spec = spec_of(preset, batch=batch, threads=threads)
    spec.hooks.checkpoint_every = 1_000_000  # a policy, so that the buffers stay
    told: list[WorkerEvent] = []
    with tempfile.TemporaryDirectory() as staging:
        training = made_training(spec, precision="auto", staging=Path(staging))
        checkpoints = Checkpoints(told.append, Control())

        def step() -> float:
            began = time.perf_counter()
            _ = training_step(training).loss
            return time.perf_counter() - began

        for _ in range(3):
            step()
        for _ in range(saves):
            told.clear()
            request = StageCheckpoint(kind=STAGING_KIND_CHECKPOINT, request_id="bench")
            checkpoints.answer(training, request)
            beside = [step()]
            while not checkpoints.saver.free:
                beside.append(step())
            checkpoints.saver.wait()
            quiet = [step() for _ in beside]
            staged = next(event.staged for event in told if event.HasField("staged"))
            size = sum(path.stat().st_size for path in Path(staged.folder).iterdir())
            for path in Path(staged.folder).iterdir():
                path.unlink()
            said = {
                "stall_secs": staged.stall_secs,
                "write_secs": staged.write_secs,
                "beside": beside,
                "quiet": quiet,
                "size": size,
                "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10,
                "threads": torch.get_num_threads(),
            }
            print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]))
