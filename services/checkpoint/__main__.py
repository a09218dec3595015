"""`python -m services.checkpoint` runs the checkpoint service."""

from lab.service.run import run_service
from services.checkpoint.service import Settings, build

if __name__ == "__main__":
    run_service("checkpoint", Settings, build)
