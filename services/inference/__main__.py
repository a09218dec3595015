"""`python -m services.inference` runs the inference and analysis services."""

from lab.memory import keep_freed_memory
from lab.service.run import run_service
from services.inference.service import Settings, build

PIECES_BYTES = 64 << 20  # of analyses: pieces of 13 MB, the same again and again

if __name__ == "__main__":
    keep_freed_memory(most_bytes=PIECES_BYTES)
    run_service("inference", Settings, build)
