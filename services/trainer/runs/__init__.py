"""The control plane: what may be asked of runs, and how each one lives, waits and ends."""
