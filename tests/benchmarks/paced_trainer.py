"""The trainer service with paced workers: `python -m tests.benchmarks.paced_trainer RATE`.

All of it is real, from the link of the worker to the journal and the bus; only nobody trains.
"""

from __future__ import annotations

import sys
from functools import partial

from lab.service.run import Server, Service, run_service
from services.trainer.runs.worker_process import start_worker
from services.trainer.service import Settings, wire


async def _build(steps_per_sec: str, settings: Settings, service: Service) -> Server:
    command = [sys.executable, "-m", "tests.benchmarks.paced_worker", steps_per_sec]
    return await wire(
        settings, service, start_worker=partial(start_worker, nice=0, command=command)
    )


if __name__ == "__main__":
    run_service("trainer", Settings, partial(_build, sys.argv.pop(1)))
