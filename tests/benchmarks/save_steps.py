"""What a save costs the training: `python -m tests.benchmarks.save_steps nano 8 2 6` makes saves
beside real steps and answers with one line of JSON for each; the first, which makes the buffers, is
not sent.

Steps come in windows: those made while a save is written, as many quiet ones, those made while it
is sent to a checkpoint service, and as many quiet ones.
"""

import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from services.trainer.worker.memory import keep_memory


class Sender:
    """The program that sends folders, beside this one."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.send_folders"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        assert self._out.readline() == "ready\n"
        self.sent = threading.Event()
        self.secs = 0.0

    def send(self, folder: str) -> None:
        self.sent.clear()
        self._in.write(f"{folder}\n")
        self._in.flush()
        threading.Thread(target=self._wait, daemon=True).start()

    def worked_secs(self) -> float:
        """Of a core, by the program and the checkpoint service that it has started."""
        here = psutil.Process(self._process.pid)
        times = [one.cpu_times() for one in (here, *here.children(recursive=True))]
        return sum(each.user + each.system for each in times)

    def close(self) -> None:
        self._in.close()
        self._process.wait(60)

    def _wait(self) -> None:
        self.secs = float(self._out.readline())
        self.sent.set()


def main(preset: str, batch: int, threads: int, saves: int) -> None:
    keep_memory()
    import torch

    from lab.v1.worker_pb2 import WorkerEvent
    from services.trainer.worker.control import Control
    from services.trainer.worker.events import Telling
    from services.trainer.worker.hooks import Step
    from services.trainer.worker.hooks.checkpoints import Checkpoints
    from services.trainer.worker.saving import saver, state
    from services.trainer.worker.step import StepResult, training_step
    from tests.benchmarks.train_steps import made_training, spec_of

    spec = spec_of(preset, batch=batch, threads=threads)
    spec.hooks.checkpoint_every = 1_000_000  # a policy, so that the buffers stay
    told: list[WorkerEvent] = []
    worked: list[float] = []  # seconds of a core, by the writer of each save

    def write_timed(*arguments: Any, **named: Any) -> Any:
        began = time.thread_time()
        try:
            return state.write(*arguments, **named)
        finally:
            worked.append(time.thread_time() - began)

    vars(saver)["write"] = write_timed
    sender = Sender()
    with tempfile.TemporaryDirectory() as staging:
        training = made_training(spec, precision="auto", staging=Path(staging))
        checkpoints = Checkpoints(Telling(told.append), Control())

        def step() -> tuple[float, StepResult]:
            began = time.perf_counter()
            result = training_step(training)
            _ = result.loss
            return time.perf_counter() - began, result

        for _ in range(3):
            step()
        for number in range(saves):
            told.clear()
            secs, result = step()
            training.live.checkpoint_every = 1  # due now, and then no more
            checkpoints.after_step(training, Step(result, secs))
            training.live.checkpoint_every = 1_000_000
            beside = [step()[0]]
            while not checkpoints.saver.free:
                beside.append(step()[0])
            checkpoints.saver.wait()
            quiet = [step()[0] for _ in beside]
            staged = next(event.staged for event in told if event.HasField("staged"))
            sending: list[float] = []
            worked_before = sender.worked_secs()
            if number:
                sender.send(staged.folder)
                while not sender.sent.is_set():
                    sending.append(step()[0])
            sending_worked = sender.worked_secs() - worked_before
            quiet_again = [step()[0] for _ in sending]
            for path in Path(staged.folder).iterdir():
                path.unlink()
            said = {
                "stall_secs": staged.stall_secs,
                "write_secs": staged.write_secs,
                "write_worked_secs": worked[-1],
                "send_secs": sender.secs,
                "send_worked_secs": sending_worked,
                "beside": beside,
                "quiet": quiet,
                "sending": sending,
                "quiet_again": quiet_again,
                "size": sum(file.size_bytes for file in staged.files),
                "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10,
                "threads": torch.get_num_threads(),
            }
            print(json.dumps(said), flush=True)
    sender.close()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]))
