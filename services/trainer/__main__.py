"""Runs the trainer: `python -m services.trainer`."""

from lab.memory import keep_freed_memory
from lab.service.run import run_service
from services.trainer.service import Settings, build

PIECES_BYTES = 32 << 20  # checkpoints pass through in pieces of 1 MiB, copied some times

if __name__ == "__main__":
    keep_freed_memory(most_bytes=PIECES_BYTES)
    run_service("trainer", Settings, build)
