"""Checkpoints of runs: on their way out, kept elsewhere, and back in."""
