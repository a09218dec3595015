"""What a run would take is told before it starts, with what to change when it would not go well."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.spec import Machine, Times, load_presets, preflight, set_dotted
from lab.spec.memory import memory_parts
from lab.v1 import preflight_pb2
from lab.v1.preflight_pb2 import Preflight
from lab.v1.run_spec_pb2 import RunSpec
from lab.v1.worker_pb2 import StepTiming

ROOMY = Machine(
    memory_available_bytes=64 << 30, memory_total_bytes=64 << 30, disk_free_bytes=1 << 40, cores=4
)
UNTIMED = Times(preflight_pb2.TIMING_SOURCE_NONE, note="not asked for")


def spec_of(*changes: str, preset: str = "nano") -> RunSpec:
    spec = load_presets()[preset].spec
    for change in changes:
        set_dotted(spec, change)
    return spec


def told(
    spec: RunSpec, *, machine: Machine = ROOMY, times: Times = UNTIMED, validation: int = 33_802
) -> Preflight:
    return preflight(
        spec, train_tokens=304_224, validation_tokens=validation, machine=machine, times=times
    )


def timed(**values: Any) -> Times:
    return Times(preflight_pb2.TIMING_SOURCE_MEASURED, StepTiming(**values))


def test_sizes_are_those_of_the_spec() -> None:
    found = told(spec_of("budget.batch=6", "budget.micro_batch=3", "budget.steps=1000"))
    assert found.parameters == 9_938_080
    assert (found.tokens_per_step, found.steps, found.tokens) == (1_536, 1_000, 1_536_000)
    assert found.epochs == pytest.approx(6_000 / 1_188)
    assert found.memory_bytes == sum(part.bytes for part in found.memory_parts)
    assert (found.checkpoints, found.disk_bytes) == (0, 0)
    assert not found.HasField("step_secs")
    assert found.timing_note == "not asked for"
    assert not found.problems


@pytest.mark.parametrize(
    ("every", "on_stop", "expected"),
    [(0, False, 0), (0, True, 1), (30, False, 3), (30, True, 4), (50, True, 2), (100, True, 1)],
)
def test_the_saving_policy_is_counted_out(every: int, on_stop: bool, expected: int) -> None:
    spec = spec_of("budget.steps=100")
    spec.hooks.checkpoint_every, spec.hooks.checkpoint_on_stop = every, on_stop
    found = told(spec)
    assert found.checkpoints == expected
    assert found.checkpoint_bytes == pytest.approx(12 * 9_938_080, rel=0.01)
    assert found.disk_bytes == (found.checkpoint_bytes * (expected + 1) if expected else 0)


@pytest.mark.parametrize(
    ("changes", "count", "note"),
    [
        (["log_spaced=true"], 7, ""),  # 1, 2, 4 ... 64
        (["log_spaced=true", "on_stop=true"], 8, ""),
        (["log_spaced=true", "every=8"], 12 + 3, ""),  # 1, 2, 4: the others are multiples of 8
        (["best=true"], 3, "at most: the best"),  # validations after 40, 80 and 100 steps
        (["best=true", "every=16", "on_stop=true"], 6 + 2 - 1 + 1, "at most"),  # 80 is both
        (["minutes=2"], 0, "every 2 minutes are not counted: no step was measured"),
        (["minutes=2", "on_stop=true"], 1, "not counted"),
    ],
)
def test_saves_of_every_kind_are_counted(changes: list[str], count: int, note: str) -> None:
    found = told(saved_spec(*changes))
    assert found.checkpoints == count
    assert (note in found.checkpoints_note) if note else not found.checkpoints_note
    assert found.disk_bytes == (found.checkpoint_bytes * (count + 1) if count else 0)


def saved_spec(*changes: str) -> RunSpec:
    return spec_of(
        "budget.steps=100",
        "hooks.evaluate_every=40",
        *[f"hooks.checkpoint_{change}" for change in changes],
    )


def test_minutes_are_counted_by_the_measured_time() -> None:
    times = timed(step_secs=10.0)
    found = told(saved_spec("minutes=2"), times=times)
    assert found.checkpoints == 8  # every 12 of the 100 steps
    assert "counted by the measured time of a step" in found.checkpoints_note
    # Each save begins the minutes anew: with one every 10 steps none is due by time.
    assert told(saved_spec("minutes=2", "every=10"), times=times).checkpoints == 10


def test_the_most_saves_are_counted_where_a_run_would_take_years() -> None:
    spec = saved_spec("best=true", "every=7", "log_spaced=true")
    spec.budget.steps = 100_000_000
    multiples = 100_000_000 // 7 + 100_000_000 // 40 - 100_000_000 // 280
    assert told(spec).checkpoints == multiples + 27  # of the powers of 2 none is among those


@given(
    steps=st.integers(1, 300),
    every=st.integers(0, 40),
    evaluate=st.integers(0, 40),
    log_spaced=st.booleans(),
    best=st.booleans(),
    on_stop=st.booleans(),
)
def test_the_count_is_what_a_walk_through_the_steps_finds(
    *, steps: int, every: int, evaluate: int, log_spaced: bool, best: bool, on_stop: bool
) -> None:
    spec = spec_of(f"budget.steps={steps}", f"hooks.evaluate_every={evaluate}")
    hooks = spec.hooks
    hooks.checkpoint_every, hooks.checkpoint_log_spaced = every, log_spaced
    hooks.checkpoint_best, hooks.checkpoint_on_stop = best, on_stop
    saved = {
        step
        for step in range(1, steps + 1)
        if (every and step % every == 0)
        or (log_spaced and step & (step - 1) == 0)
        or (best and evaluate and (step % evaluate == 0 or step == steps))
        or (on_stop and step == steps)
    }
    assert told(spec).checkpoints == len(saved)


def test_weights_only_take_a_third() -> None:
    spec = spec_of("budget.steps=100", "hooks.checkpoint_weights_only=true")
    spec.hooks.checkpoint_every = 50
    found = told(spec)
    assert found.checkpoint_bytes == pytest.approx(4 * 9_938_080, rel=0.01)
    assert found.disk_bytes == 3 * found.checkpoint_bytes


def test_the_time_is_that_of_all_steps_and_of_what_is_done_beside_them() -> None:
    spec = spec_of("budget.steps=100", "hooks.evaluate_every=40", "hooks.sample_every=60")
    spec.hooks.sample_prompts.append("and another")
    times = timed(step_secs=2.0, evaluation_batch_secs=0.5, sample_secs=1.0, peak_memory_bytes=77)
    found = told(spec, times=times)
    # Evaluations at 0, 40, 80, 100, two batches each; samples at 0, 60, 100, two prompts each.
    assert (found.evaluations, found.validation_batches) == (4, 2)
    assert found.duration_secs == 100 * 2.0 + 4 * 2 * 0.5 + 3 * 2 * 1.0
    assert (found.step_secs, found.memory_bytes) == (2.0, 77)


def one_problem(found: Preflight) -> tuple[str, str, str]:
    (problem,) = found.problems
    return problem.field, problem.description, problem.remedy


def test_too_little_memory() -> None:
    small = Machine(
        memory_available_bytes=19 * 10**8, memory_total_bytes=3 * 10**9, disk_free_bytes=0, cores=4
    )
    exact = "budget.precision=fp32"  # what auto comes to depends on the processor
    field, said, remedy = one_problem(told(spec_of(exact, preset="small"), machine=small))
    assert field == "budget.micro_batch"
    assert "2.3 GB of memory, but 1.9 GB of 3.0 GB are free" in said
    assert remedy == "budget.micro_batch=2"
    assert not told(spec_of(exact, remedy, preset="small"), machine=small).problems
    alone = spec_of(exact, "budget.batch=1", "budget.micro_batch=1", preset="medium")
    assert one_problem(told(alone, machine=small))[2] == "budget.activation_checkpointing=true"
    alone.budget.activation_checkpointing = True
    field, said, remedy = one_problem(told(alone, machine=small))
    assert (field, remedy) == ("budget.micro_batch", "")
    assert "lower model.context or model.width" in said


def test_the_remedy_for_memory_is_one_that_helps() -> None:
    """Two micro-batches are not enough here, but activations that are not kept are."""
    spec = spec_of("budget.batch=2", "budget.micro_batch=2", "model.layers=64")
    needed = sum(part.bytes for part in memory_parts(spec_of_changed(spec, "micro_batch", 1)))
    machine = Machine(
        memory_available_bytes=needed - 1, memory_total_bytes=needed, disk_free_bytes=0, cores=4
    )
    field, said, remedy = one_problem(told(spec, machine=machine))
    assert (field, remedy) == (
        "budget.activation_checkpointing",
        "budget.activation_checkpointing=true",
    )
    assert "a third longer" in said
    spec.budget.activation_checkpointing = True
    assert not told(spec, machine=machine).problems


def test_each_process_needs_the_memory_of_one() -> None:
    one, two = spec_of("budget.batch=8", "budget.micro_batch=4"), spec_of("budget.batch=8")
    two.budget.micro_batch, two.budget.processes = 4, 2
    needed = [sum(part.bytes for part in memory_parts(spec)) for spec in (one, two)]
    assert needed[1] == 2 * needed[0]
    machine = Machine(
        memory_available_bytes=needed[0], memory_total_bytes=needed[0], disk_free_bytes=0, cores=4
    )
    assert one_problem(told(two, machine=machine))[2] == "budget.processes=1"


def spec_of_changed(spec: RunSpec, name: str, value: int) -> RunSpec:
    changed = RunSpec()
    changed.CopyFrom(spec)
    setattr(changed.budget, name, value)
    return changed


def test_too_little_disk() -> None:
    full = Machine(
        memory_available_bytes=64 << 30, memory_total_bytes=0, disk_free_bytes=10**9, cores=4
    )
    spec = spec_of("hooks.checkpoint_every=10", "budget.steps=600")
    field, said, remedy = one_problem(told(spec, machine=full))
    assert field == "hooks.checkpoint_every"
    assert "60 checkpoints of 0.1 GB need 7.3 GB of disk, but 1.0 GB are free" in said
    assert not told(spec_of(remedy, "budget.steps=600"), machine=full).problems
    none = Machine(64 << 30, 0, disk_free_bytes=10**6, cores=4)
    assert one_problem(told(spec, machine=none))[2] == "hooks.checkpoint_every=0"


def test_less_validation_than_was_asked_for() -> None:
    found = told(spec_of("hooks.evaluate_batches=50"), validation=3_000)  # 11 windows of 256
    assert found.validation_batches == 3
    field, said, remedy = one_problem(found)
    assert field == "hooks.evaluate_batches"
    assert "is 50, but the validation split has 3 batches" in said
    assert not told(spec_of(remedy), validation=3_000).problems


def test_more_threads_than_cores_and_more_beside_than_training() -> None:
    assert one_problem(told(spec_of("budget.threads=5")))[2] == "budget.threads=0"
    slow = timed(step_secs=1.0, evaluation_batch_secs=20.0)
    field, said, remedy = one_problem(told(spec_of(), times=slow))
    assert (field, remedy) == ("hooks.evaluate_every", "hooks.evaluate_every=100")
    assert "46% of the time" in said


@given(
    layers=st.integers(1, 24),
    heads=st.integers(1, 16),
    context=st.integers(8, 2_048),
    batch=st.integers(1, 16),
)
def test_the_memory_estimate_grows_with_everything(
    layers: int, heads: int, context: int, batch: int
) -> None:
    spec = spec_of()
    spec.model.layers, spec.model.width, spec.model.context = layers, 32 * heads, context
    spec.budget.micro_batch, spec.budget.batch = batch, 2 * batch

    def total() -> int:
        parts = memory_parts(spec)
        assert [part.bytes for part in parts] == sorted((p.bytes for p in parts), reverse=True)
        return sum(part.bytes for part in parts)

    before = total()
    for section, name in (
        ("model", "layers"),
        ("model", "width"),
        ("model", "context"),
        ("budget", "micro_batch"),
    ):
        part = getattr(spec, section)
        setattr(part, name, 2 * getattr(part, name))
        assert total() > before
        before = total()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (["minutes=1", "every=50"], "hooks.checkpoint_minutes"),
        (["best=true"], "hooks.checkpoint_best"),
        (["log_spaced=true"], "hooks.checkpoint_log_spaced"),
    ],
)
def test_too_little_disk_names_what_saves_most(changes: list[str], field: str) -> None:
    full = Machine(
        memory_available_bytes=64 << 30, memory_total_bytes=0, disk_free_bytes=4 * 10**8, cores=4
    )
    spec = saved_spec(*changes)
    found, said, remedy = one_problem(told(spec, machine=full, times=timed(step_secs=10.0)))
    assert found == field
    assert said.startswith("up to ") == ("log_spaced=true" not in changes)
    set_dotted(spec, remedy)
    assert told(spec, times=timed(step_secs=10.0)).checkpoints <= 2
