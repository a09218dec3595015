"""Runs the trainer: `python -m services.trainer`."""

from lab.service.run import run_service
from services.trainer.service import Settings, build

if __name__ == "__main__":
    run_service("trainer", Settings, build)
