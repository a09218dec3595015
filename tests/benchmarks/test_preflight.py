"""The memory estimate against the measured peak of real steps."""

from pathlib import Path

import pytest

from lab.spec import Timings, load_presets, set_dotted
from lab.spec.memory import memory_parts

TOLERANCE = 0.10


@pytest.mark.bench
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "changes",
    [
        ("nano",),
        ("nano", "budget.batch=1", "budget.micro_batch=1"),
        ("nano", "budget.batch=8", "budget.micro_batch=8"),
        ("small", "budget.batch=4", "hooks.sample_every=0"),
        ("small", "budget.batch=1", "budget.micro_batch=1", "hooks.sample_every=0"),
        ("nano", "budget.batch=8", "budget.micro_batch=8", "budget.activation_checkpointing=true"),
        ("small", "budget.activation_checkpointing=true", "hooks.sample_every=0"),
    ],
    ids=" ".join,
)
def test_the_memory_estimate_is_within_a_tenth(changes: tuple[str, ...], tmp_path: Path) -> None:
    spec = load_presets()[changes[0]].spec
    for change in changes[1:]:
        set_dotted(spec, change)
    timing = Timings(tmp_path).measure(spec).timing
    estimate = sum(part.bytes for part in memory_parts(spec))
    ratio = estimate / timing.peak_memory_bytes
    print(
        f"\n{' '.join(changes)}: estimated {estimate / 1e6:,.0f} MB, "
        f"peak {timing.peak_memory_bytes / 1e6:,.0f} MB, ratio {ratio:.3f}; "
        f"step {timing.step_secs:.3f} s of {timing.steps}, start {timing.start_secs:.1f} s"
    )
    assert abs(ratio - 1) <= TOLERANCE
