"""Times are measured once for each shape, and told apart from everything else a spec says."""

import os
import sys
import time
from pathlib import Path

import pytest

from lab.errors import LabError, Unavailable
from lab.spec import Timings, load_presets, set_dotted
from lab.spec.timings import BUSY_SECS, OLD_SECS, STALE_SECS, Measured
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
        assert timings.measure(spec).timing == StepTiming(step_secs=0.5, steps=3)
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
    found = timings.find(spec_of())
    assert found == Measured(StepTiming(step_secs=1), "", again=False)
    old = time.time() - STALE_SECS - 1
    os.utime(file, (old, old))
    assert timings.find(spec_of()) is None
    file.write_bytes(b"\xff\xff\xff")
    assert timings.find(spec_of()) is None


def of_age(folder: Path, age_secs: float) -> None:
    (file,) = folder.glob("*.timing")
    then = time.time() - age_secs
    os.utime(file, (then, then))


def test_times_of_a_busy_machine_are_measured_again(tmp_path: Path) -> None:
    said = tmp_path / "said"
    program = f"import sys; sys.stdout.buffer.write(open({str(said)!r}, 'rb').read())"
    timings = Timings(tmp_path / "timings", command=saying(program))

    def measured(step_secs: float, *, busy: bool) -> Measured:
        said.write_bytes(StepTiming(step_secs=step_secs, beside_others=busy).SerializeToString())
        return timings.measure(spec_of())

    busy = measured(0.9, busy=True)
    assert (busy.timing.step_secs, busy.again) == (0.9, False)
    assert "beside other programs" in busy.doubt
    assert measured(0.1, busy=False) == busy  # not at once
    of_age(tmp_path / "timings", BUSY_SECS + 1)
    assert measured(0.8, busy=True).timing.step_secs == 0.8
    of_age(tmp_path / "timings", BUSY_SECS + 1)
    slower = measured(1.0, busy=True)
    assert (slower.timing.step_secs, bool(slower.doubt)) == (0.8, True)
    of_age(tmp_path / "timings", BUSY_SECS + 1)
    quiet = measured(0.4, busy=False)
    assert quiet == Measured(StepTiming(step_secs=0.4), "", again=False)
    of_age(tmp_path / "timings", BUSY_SECS + 1)
    assert measured(0.1, busy=False) == quiet  # nothing is the matter with it


def test_times_of_another_day_are_measured_again(tmp_path: Path) -> None:
    timings = Timings(tmp_path)
    timings.keep(spec_of(), StepTiming(step_secs=1))
    of_age(tmp_path, OLD_SECS + 1)
    found = timings.find(spec_of())
    assert found == Measured(StepTiming(step_secs=1), "measured more than a day ago", again=True)
    timings.keep(spec_of(), StepTiming(step_secs=2, beside_others=True))
    found = timings.find(spec_of())
    assert found is not None
    assert (found.timing.step_secs, found.again) == (1, False)
    timings.keep(spec_of(), StepTiming(step_secs=2))  # the machine is slower today
    found = timings.find(spec_of())
    assert found == Measured(StepTiming(step_secs=2), "", again=False)


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
