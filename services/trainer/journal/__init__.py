"""What is written down of every run: one SQLite file each, on disk before anyone sees a fact."""
