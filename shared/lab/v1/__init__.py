"""Generated from proto/lab/v1 by proto/generate.py."""
