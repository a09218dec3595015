"""`lab train --dry-run`: what a run would take, its times measured by a few real steps."""

from __future__ import annotations

import shutil

from lab import folders
from lab.cli.output import answers, duration, json_of, pairs, size
from lab.cli.progress import Steps
from lab.errors import LabError
from lab.spec import ResolvedSpec, Times, Timings, preflight, this_machine
from lab.v1 import preflight_pb2
from lab.v1.preflight_pb2 import Preflight


def look_ahead(resolved: ResolvedSpec) -> Preflight:
    """Blocks for as long as a few steps take, the first time a shape is asked for."""
    home = folders.home()
    home.mkdir(parents=True, exist_ok=True)
    with Steps() as steps:
        steps.show("making a few steps to measure them")
        try:
            found = Timings(home / "timings").measure(resolved.spec)
            times = Times(preflight_pb2.TIMING_SOURCE_MEASURED, found.timing, note=found.doubt)
        except LabError as error:
            times = Times(preflight_pb2.TIMING_SOURCE_NONE, note=error.message)
    return preflight(
        resolved.spec,
        train_tokens=resolved.train_tokens,
        validation_tokens=resolved.validation_tokens,
        machine=this_machine(disk_free_bytes=shutil.disk_usage(home).free),
        times=times,
    )


def show_preflight(found: Preflight, *, as_json: bool) -> None:
    if as_json:
        return json_of(found)
    measured = found.HasField("step_secs")
    parts = ", ".join(f"{part.name} {size(part.bytes)}" for part in found.memory_parts[:4])
    pairs(
        [
            ("parameters", f"{found.parameters:,}"),
            ("tokens per step", f"{found.tokens_per_step:,}"),
            ("steps", f"{found.steps:,}, {found.epochs:,.2f} epochs, {found.tokens:,} tokens"),
            ("step", _step(found) if measured else "not measured"),
            ("duration", _duration(found) if measured else found.timing_note),
            (
                "memory",
                f"{size(found.memory_bytes)} {'measured' if measured else 'estimated'}, "
                f"{size(found.memory_available_bytes)} free; by the formula: {parts}",
            ),
            ("disk", _disk(found)),
            (
                "validation",
                f"{found.evaluations:,} times {found.validation_batches:,} batches"
                if found.evaluations
                else "off",
            ),
        ]
    )
    for problem in found.problems:
        answers.print(f"{problem.field}: {problem.description}")
        if problem.remedy:
            answers.print(f"  try: --set {problem.remedy}")


def _step(found: Preflight) -> str:
    return f"{found.step_secs:.3g} s, {found.timing_note or 'measured'}"


def _duration(found: Preflight) -> str:
    return f"{duration(found.duration_secs)} with validation and samples"


def _disk(found: Preflight) -> str:
    if not (found.checkpoints or found.checkpoints_note):
        return "nothing: saving is off"
    each = f"{found.checkpoints:,} checkpoints of {size(found.checkpoint_bytes)}"
    free = f"{size(found.disk_free_bytes)} free"
    note = f" ({found.checkpoints_note})" if found.checkpoints_note else ""
    return f"{size(found.disk_bytes)} for {each}, {free}{note}"
