"""`lab checkpoints`: what was saved, whether it is whole, what stays and what goes."""

from lab.cli.checkpoints import carrying, looking, marking, removing
from lab.cli.checkpoints.command import app

__all__ = ["app", "carrying", "looking", "marking", "removing"]
