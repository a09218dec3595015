"""The trainer service: owns runs, their metric history and the corpora; its workers train."""
