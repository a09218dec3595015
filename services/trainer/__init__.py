"""The trainer: owns runs, their metric history and the corpora; one worker process per run."""
