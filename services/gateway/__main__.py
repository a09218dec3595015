"""`python -m services.gateway` runs the gateway."""

from lab.service.run import run_service
from services.gateway.service import Settings, build

if __name__ == "__main__":
    run_service("gateway", Settings, build)
