"""The control plane: runs, their states, their workers, what becomes of their checkpoints."""
