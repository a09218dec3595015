"""`lab runs`: start runs, steer them, follow them."""

from lab.cli.runs import looking, saving, starting, steering
from lab.cli.runs.command import app

__all__ = ["app", "looking", "saving", "starting", "steering"]
