"""`python -m services.inference` runs the inference and analysis services."""

from lab.service.run import run_service
from services.inference.service import Settings, build

if __name__ == "__main__":
    run_service("inference", Settings, build)
