"""The control plane: runs, their states, their record on disk, their workers. No torch."""
