"""Live settings: what was changed since a run was created, field by field over its spec."""

from lab.v1.run_pb2 import LiveSettings


def overlay(live: LiveSettings, change: LiveSettings) -> None:
    """Lays the change over the settings; a given list replaces the list whole, as in a spec."""
    if change.HasField("sample_prompts"):
        live.ClearField("sample_prompts")
    live.MergeFrom(change)
