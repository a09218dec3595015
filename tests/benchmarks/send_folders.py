"""Sends checkpoint folders as the trainer does beside training: `python -m
tests.benchmarks.send_folders` starts a checkpoint service of its own, says "ready", and for each
folder named on its standard input says the seconds that it took."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from lab.v1.checkpoint_pb2 import Checkpoint, CheckpointFile
from services.trainer.runs import sending
from services.trainer.runs.turns import Turns
from tests.support.checkpoint_service import checkpoint_process, checkpoint_stub


async def main(address: str) -> None:
    async with checkpoint_stub(address) as stub:
        print("ready", flush=True)
        for number, line in enumerate(sys.stdin, 1):
            folder = Path(line.strip())
            header = Checkpoint(name=f"runs/bench/checkpoints/step-{number:08d}")
            header.files.extend(await asyncio.to_thread(sizes, folder))
            turns = Turns(sum(file.size_bytes for file in header.files), beside=lambda: True)
            began = time.perf_counter()
            await sending.send(stub, folder, header, rest=turns.rest)
            print(time.perf_counter() - began, flush=True)


def sizes(folder: Path) -> list[CheckpointFile]:
    """Without hashes: the worker has taken those while it wrote."""
    return [
        CheckpointFile(name=path.name, size_bytes=path.stat().st_size)
        for path in sorted(folder.iterdir())
    ]


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory() as home,
        checkpoint_process(Path(home)) as (_, started),
    ):
        asyncio.run(main(started))
