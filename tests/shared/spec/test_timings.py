"""Times are measured once for each shape, and told apart from everything else a spec says."""

import os
import sys
import time
from pathlib import Path

import pytest

from lab.errors import LabError, Unavailable
from lab.spec import Timings, load_presets, set_dotted
from lab.spec.timings import STALE_SECS
from lab.v1.run_spec_pb2 import RunSpec
from lab.v1.worker_pb2 import StepTiming


def spec_of(*changes: str) -> RunSpec:
    spec = load_presets()["nano"].spec
    for change in changes:
        set_dotted(spec, change)
    return spec


def saying(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_a_shape_is_measured_once(tmp_path: Path) -> None:
    counted = tmp_path / "count"
    program = (
        "import sys; from lab.v1.worker_pb2 import StepTiming\n"
        f"open({str(counted)!r}, 'a').write('x')\n"
        "sys.stdout.buffer.write(StepTiming(step_secs=0.5, steps=3).SerializeToString())"
    )
    timings = Timings(tmp_path / "timings", command=saying(program))
    for spec in (spec_of(), spec_of("optimizer.learning_rate=1", "budget.steps=9", "data.seed=2")):
        assert timings.measure(spec) == StepTiming(step_secs=0.5, steps=3)
    assert counted.read_text() == "x"
    for change in (
        "model.layers=3",
        "budget.micro_batch=2",
        "budget.threads=1",
        "budget.activation_checkpointing=true",
        "model.dropout=0.1",
    ):
        assert timings.find(spec_of(change)) is None
    timings.measure(spec_of("budget.threads=1"))
    assert counted.read_text() == "xx"


def test_old_and_broken_times_do_not_count(tmp_path: Path) -> None:
    timings = Timings(tmp_path)
    timings.keep(spec_of(), StepTiming(step_secs=1))
    (file,) = tmp_path.iterdir()
    assert timings.find(spec_of()) == StepTiming(step_secs=1)
    old = time.time() - STALE_SECS - 1
    os.utime(file, (old, old))
    assert timings.find(spec_of()) is None
    file.write_bytes(b"\xff\xff\xff")
    assert timings.find(spec_of()) is None


@pytest.mark.parametrize(
    ("program", "kind", "said"),
    [
        (
            "import sys; sys.stderr.write('has no CUDA device'); sys.exit(2)",
            LabError,
            "^has no CUDA",
        ),
        ("raise ValueError('odd')", Unavailable, "could not be measured: ValueError: odd"),
        ("import os; os.kill(os.getpid(), 9)", Unavailable, "was killed; is memory short"),
    ],
)
def test_why_it_could_not_be_measured_is_told(
    tmp_path: Path, program: str, kind: type[LabError], said: str
) -> None:
    timings = Timings(tmp_path / "timings", command=saying(program))
    with pytest.raises(kind, match=said):
        timings.measure(spec_of())
    assert timings.find(spec_of()) is None
