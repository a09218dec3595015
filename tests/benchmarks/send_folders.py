"""Sends checkpoint folders as the trainer does beside training: `python -m
tests.benchmarks.send_folders` starts a checkpoint service of its own, says "ready", and for each
folder named on its standard input says the seconds that it took."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from lab import manifest
from lab.memory import keep_freed_memory
from lab.v1.checkpoint_pb2 import Checkpoint
from services.trainer.__main__ import PIECES_BYTES
from services.trainer.saved import sending
from services.trainer.saved.turns import Turns
from tests.support.checkpoint_service import checkpoint_process, checkpoint_stub


async def main(address: str) -> None:
    async with checkpoint_stub(address) as stub:
        print("ready", flush=True)
        for number, line in enumerate(sys.stdin, 1):
            folder = Path(line.strip())
            header = Checkpoint(name=f"runs/bench/checkpoints/step-{number:08d}")
            staged = await asyncio.to_thread(manifest.read_staged, folder)
            header.files.extend(staged.files)
            turns = Turns(sum(file.size_bytes for file in header.files), beside=lambda: True)
            began = time.perf_counter()
            await sending.send(stub, folder, header, rest=turns.rest)
            print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    keep_freed_memory(most_bytes=PIECES_BYTES)
    with (
        tempfile.TemporaryDirectory() as home,
        checkpoint_process(Path(home)) as (_, started),
    ):
        asyncio.run(main(started))
