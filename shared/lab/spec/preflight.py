"""What a run would take, told before it starts: sizes, times, memory, disk, and what to change."""

import math
from dataclasses import dataclass

import psutil

from lab.spec.memory import memory_parts
from lab.spec.parameters import count_parameters, parameter_parts
from lab.spec.resolve import windows
from lab.spec.saves import Saves, count_saves
from lab.v1 import preflight_pb2
from lab.v1.preflight_pb2 import Preflight, PreflightProblem
from lab.v1.run_spec_pb2 import RunSpec
from lab.v1.worker_pb2 import StepTiming

STATE_BYTES = 12  # of a full checkpoint per parameter: the weight and two moments
WEIGHT_BYTES = 4  # of one that holds weights only
SMALL_FILES_BYTES = 64 << 10  # config, state and manifest
LARGE_SHARE = 0.3  # of the time that may go into validation and samples without a word


@dataclass(frozen=True)
class Machine:
    """What the worker will run on; 0 where it is not known."""

    memory_available_bytes: int
    memory_total_bytes: int
    disk_free_bytes: int
    cores: int


@dataclass(frozen=True)
class Times:
    """Measured times, or why there are none."""

    source: preflight_pb2.TimingSource.ValueType
    timing: StepTiming | None = None
    note: str = ""


def this_machine(*, disk_free_bytes: int) -> Machine:
    memory = psutil.virtual_memory()
    return Machine(
        memory_available_bytes=memory.available,
        memory_total_bytes=memory.total,
        disk_free_bytes=disk_free_bytes,
        cores=len(psutil.Process().cpu_affinity() or [0]),
    )


def preflight(
    spec: RunSpec,
    *,
    train_tokens: int,
    validation_tokens: int,
    machine: Machine,
    times: Times,
) -> Preflight:
    """Of a resolved spec."""
    model, budget, hooks = spec.model, spec.budget, spec.hooks
    parameters, steps = count_parameters(model), budget.steps
    sequences = windows(train_tokens, model.context)
    there = windows(validation_tokens, model.context)
    answer = Preflight(
        parameters=parameters,
        parameter_parts=parameter_parts(model),
        tokens_per_step=budget.batch * model.context,
        steps=steps,
        tokens=budget.batch * model.context * steps,
        epochs=steps * budget.batch / sequences if sequences else 0.0,
        timing=times.source,
        timing_note=times.note,
        memory_parts=memory_parts(spec),
        memory_available_bytes=machine.memory_available_bytes,
        memory_total_bytes=machine.memory_total_bytes,
        checkpoint_bytes=parameters * _bytes_per_parameter(spec) + SMALL_FILES_BYTES,
        disk_free_bytes=machine.disk_free_bytes,
    )
    answer.memory_bytes = sum(part.bytes for part in answer.memory_parts)
    if hooks.evaluate_every:
        answer.evaluations = _rounds(steps, hooks.evaluate_every)
        wanted = hooks.evaluate_batches * budget.micro_batch
        answer.validation_batches = -(-min(there, wanted) // budget.micro_batch)
    if times.timing is not None:
        answer.memory_bytes = times.timing.peak_memory_bytes
        answer.step_secs = times.timing.step_secs
        answer.duration_secs = steps * times.timing.step_secs + beside_secs(answer, spec, times)
    saves = count_saves(
        spec, secs_per_step=answer.duration_secs / steps if times.timing is not None else None
    )
    answer.checkpoints, answer.checkpoints_note = saves.count, saves.note
    if answer.checkpoints:
        answer.disk_bytes = (answer.checkpoints + 1) * answer.checkpoint_bytes
    answer.problems.extend(_problems(answer, spec, machine, times, saves))
    return answer


def beside_secs(answer: Preflight, spec: RunSpec, times: Times) -> float:
    """Seconds of all evaluations and samples."""
    if times.timing is None:
        return 0.0
    hooks = spec.hooks
    rounds = _rounds(spec.budget.steps, hooks.sample_every) if hooks.sample_every else 0
    samples = rounds * len(hooks.sample_prompts) * times.timing.sample_secs
    batches = answer.evaluations * answer.validation_batches
    return samples + batches * times.timing.evaluation_batch_secs


def _rounds(steps: int, every: int) -> int:
    """Before the first step, at each interval, and after the last step."""
    return 1 + steps // every + (steps % every > 0)


def _bytes_per_parameter(spec: RunSpec) -> int:
    return WEIGHT_BYTES if spec.hooks.checkpoint_weights_only else STATE_BYTES


def _problems(
    answer: Preflight, spec: RunSpec, machine: Machine, times: Times, saves: Saves
) -> list[PreflightProblem]:
    budget, hooks = spec.budget, spec.hooks
    found: list[PreflightProblem] = []

    def add(field: str, description: str, remedy: str = "") -> None:
        problem = PreflightProblem(field=field, description=description, remedy=remedy)
        found.append(problem)

    on_this_memory = budget.device == "cpu" and machine.memory_available_bytes
    if on_this_memory and answer.memory_bytes > machine.memory_available_bytes:
        remedy = _memory_remedy(spec, machine)
        field = remedy.partition("=")[0] or "budget.micro_batch"
        add(
            field,
            f"the run will need about {_gigabytes(answer.memory_bytes)} of memory, but "
            f"{_gigabytes(machine.memory_available_bytes)} of "
            f"{_gigabytes(machine.memory_total_bytes)} are free; end other programs, or "
            + _MEMORY_WORDS.get(field if remedy else "", "lower model.context or model.width"),
            remedy,
        )
    if answer.disk_bytes > machine.disk_free_bytes:
        add(
            saves.mostly,
            f"{'up to ' if saves.note else ''}{answer.checkpoints:,} checkpoints of "
            f"{_gigabytes(answer.checkpoint_bytes)} need {_gigabytes(answer.disk_bytes)} of disk, "
            f"but {_gigabytes(machine.disk_free_bytes)} are free; save less often, or make room",
            _disk_remedy(answer, spec, machine, saves.mostly),
        )
    if hooks.evaluate_every and answer.validation_batches < hooks.evaluate_batches:
        add(
            "hooks.evaluate_batches",
            f"is {hooks.evaluate_batches:,}, but the validation split has "
            f"{answer.validation_batches:,} batches of {budget.micro_batch} sequences; each "
            "evaluation reads all of it",
            f"hooks.evaluate_batches={answer.validation_batches}",
        )
    if budget.threads > machine.cores:
        add(
            "budget.threads",
            f"is {budget.threads}, but this machine has {machine.cores} cores; more threads than "
            "cores get in each other's way",
            "budget.threads=0",
        )
    beside = beside_secs(answer, spec, times)
    if beside > LARGE_SHARE * answer.duration_secs:
        add(
            "hooks.evaluate_every",
            f"validation and samples will take {beside / answer.duration_secs:.0%} of the time; "
            "make them less often, or samples shorter",
            f"hooks.evaluate_every={2 * hooks.evaluate_every}" if hooks.evaluate_every else "",
        )
    return found


def _disk_remedy(answer: Preflight, spec: RunSpec, machine: Machine, mostly: str) -> str:
    """Less of what saves most; empty when only one is saved."""
    room = machine.disk_free_bytes // answer.checkpoint_bytes - 2  # one on its way, one at the end
    match mostly:
        case "hooks.checkpoint_every" if room > 0:
            return f"{mostly}={-(-spec.budget.steps // room)}"
        case "hooks.checkpoint_minutes" if room > 0:
            return f"{mostly}={math.ceil(answer.duration_secs / 60 / room)}"
        case "hooks.checkpoint_every" | "hooks.checkpoint_minutes":
            return f"{mostly}=0"
        case "hooks.checkpoint_best" | "hooks.checkpoint_log_spaced":
            return f"{mostly}=false"
    return ""


_MEMORY_WORDS = {
    "budget.micro_batch": "lower micro_batch",
    "budget.processes": "take fewer processes, each of which holds the whole model",
    "budget.activation_checkpointing": "keep fewer activations, which takes about a third longer",
}


def _memory_remedy(spec: RunSpec, machine: Machine) -> str:
    """The change that costs least among those that help enough; else the first that helps at all;
    empty when nothing is left but a smaller model."""
    budget = spec.budget
    remedies: list[tuple[str, str, int]] = []
    if budget.processes > 1:
        remedies.append(("budget.processes", "1", 1))
    if smaller := _smaller_micro_batch(spec):
        remedies.append(("budget.micro_batch", str(smaller), smaller))
    if not budget.activation_checkpointing:
        remedies.append(("budget.activation_checkpointing", "true", 1))
    for path, word, value in remedies:
        changed = RunSpec()
        changed.CopyFrom(spec)
        setattr(changed.budget, path.removeprefix("budget."), value)
        if sum(part.bytes for part in memory_parts(changed)) <= machine.memory_available_bytes:
            return f"{path}={word}"
    return f"{remedies[0][0]}={remedies[0][1]}" if remedies else ""


def _smaller_micro_batch(spec: RunSpec) -> int:
    """The next divisor of the batch; 0 when there is none."""
    budget = spec.budget
    smaller = [n for n in range(1, budget.micro_batch) if budget.batch % n == 0]
    return max(smaller, default=0)


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.0f} MB"
