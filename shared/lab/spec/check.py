"""Whether a complete spec can be trained: every limit in one place, all violations at once."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.message import Message

from lab.errors import Violation
from lab.spec.parameters import count_parameters
from lab.spec.schedule import decay_steps
from lab.v1 import run_spec_pb2
from lab.v1.run_spec_pb2 import RunSpec

VOCAB_SIZE = 50_257  # of the one tokenizer there is, gpt2
TOKENIZER = "gpt2"
DEVICES = ("cpu", "cuda")
MAX_PARAMETERS = 2_000_000_000  # 32 GB of weights, gradients and AdamW moments
MAX_MICRO_BATCH_TOKENS = 65_536  # their logits alone are 13 GB
MAX_PROMPTS = 8
MAX_PROMPT_CHARACTERS = 4_000
_MANY_STEPS = 100_000_000


@dataclass(frozen=True)
class _Range:
    """Bounds of a number, both allowed unless `above` or `below` say they are not."""

    low: float
    high: float
    above: bool = False
    below: bool = False

    def holds(self, value: float) -> bool:
        """Whether the value is inside; NaN never is."""
        over = value > self.low if self.above else value >= self.low
        under = value < self.high if self.below else value <= self.high
        return over and under and math.isfinite(value)

    def __str__(self) -> str:
        low = f"above {_number(self.low)}" if self.above else f"at least {_number(self.low)}"
        high = f"below {_number(self.high)}" if self.below else f"at most {_number(self.high)}"
        return f"must be {low} and {high}"


_RANGES: dict[str, _Range] = {
    "model.layers": _Range(1, 128),
    "model.width": _Range(8, 16_384),
    "model.heads": _Range(1, 256),
    "model.context": _Range(8, 16_384),
    "model.ffn_multiple": _Range(1, 16),
    "model.dropout": _Range(0, 1, below=True),
    "data.validation_fraction": _Range(0, 1, above=True, below=True),
    # An absurd rate is no mistake of form: that the run diverges is a lesson.
    "optimizer.learning_rate": _Range(0, 1_000_000_000, above=True),
    "optimizer.beta1": _Range(0, 1, below=True),
    "optimizer.beta2": _Range(0, 1, below=True),
    "optimizer.epsilon": _Range(0, 0.1, above=True),
    "optimizer.weight_decay": _Range(0, 10),
    "optimizer.clip": _Range(0, 1_000_000),
    "schedule.warmup_steps": _Range(0, _MANY_STEPS),
    "schedule.floor": _Range(0, 1),
    "schedule.decay_share": _Range(0, 1, above=True),
    "budget.steps": _Range(1, _MANY_STEPS),
    "budget.batch": _Range(1, 65_536),
    "budget.micro_batch": _Range(1, 65_536),
    "budget.threads": _Range(0, 1_024),
    "budget.processes": _Range(1, 64),
    "hooks.metrics_every": _Range(0, _MANY_STEPS),
    "hooks.evaluate_every": _Range(0, _MANY_STEPS),
    "hooks.evaluate_batches": _Range(1, 100_000),
    "hooks.sample_every": _Range(0, _MANY_STEPS),
    "hooks.sample_tokens": _Range(1, 4_096),
    "hooks.sample_temperature": _Range(0, 100),
    "hooks.sample_top_k": _Range(0, VOCAB_SIZE),
    "hooks.checkpoint_every": _Range(0, _MANY_STEPS),
    "hooks.checkpoint_minutes": _Range(0, 100_000),
    "hooks.restarts": _Range(0, 1_000),
    "hooks.health_every": _Range(0, _MANY_STEPS),
    "hooks.probe_every": _Range(0, _MANY_STEPS),
}

# Not part of a resolved spec: epochs have become steps by then, and no probe texts are a choice.
_NOT_REQUIRED = {"budget.epochs", "hooks.probe_texts"}


def missing_fields(spec: RunSpec) -> list[Violation]:
    """The fields that a complete spec must set and this one does not."""
    missing: list[Violation] = []
    for section in RunSpec.DESCRIPTOR.fields:
        part: Message = getattr(spec, section.name)
        for field in part.DESCRIPTOR.fields:
            path = f"{section.name}.{field.name}"
            there = (
                len(getattr(part, field.name)) > 0
                if field.is_repeated
                else part.HasField(field.name)
            )
            if not there and path not in _NOT_REQUIRED:
                missing.append(Violation(path, "must be set"))
    return missing


def range_violations(spec: RunSpec) -> list[Violation]:
    """Every number that is outside its own limits."""
    found: list[Violation] = []
    for path, limits in _RANGES.items():
        section, name = path.split(".")
        part: Message = getattr(spec, section)
        if part.HasField(name) and not limits.holds(value := getattr(part, name)):
            found.append(Violation(path, f"{limits}, but is {_number(value)}"))
    if spec.budget.HasField("epochs"):
        limits = _Range(0, 1_000_000, above=True)
        if not limits.holds(spec.budget.epochs):
            found.append(
                Violation("budget.epochs", f"{limits}, but is {_number(spec.budget.epochs)}")
            )
    return found


def relation_violations(spec: RunSpec) -> Iterator[Violation]:
    """Values that are fine alone and do not fit together. Needs every number inside its range."""
    model, budget = spec.model, spec.budget
    if model.width % model.heads:
        yield Violation(
            "model.heads",
            f"must divide width {model.width}, but is {model.heads}; "
            f"{_nearest_divisor(model.width, model.heads)} would",
        )
    if model.vocab_size != VOCAB_SIZE:
        yield Violation(
            "model.vocab_size",
            f"must be {VOCAB_SIZE}, the size of the tokenizer {TOKENIZER}, "
            f"but is {model.vocab_size}",
        )
    if (parameters := count_parameters(model)) > MAX_PARAMETERS:
        yield Violation(
            "model.width",
            f"makes a model of {parameters:,} parameters; the limit is {MAX_PARAMETERS:,}; "
            "lower width or layers",
        )
    if spec.data.tokenizer != TOKENIZER:
        yield Violation("data.tokenizer", f'must be "{TOKENIZER}", the one there is')
    if budget.micro_batch > budget.batch:
        yield Violation(
            "budget.micro_batch",
            f"must be at most batch {budget.batch}, of which it is a part, "
            f"but is {budget.micro_batch}",
        )
    if budget.processes > budget.batch:
        yield Violation(
            "budget.processes",
            f"must be at most batch {budget.batch}, so that each has a sequence to read, "
            f"but is {budget.processes}",
        )
    if (tokens := budget.micro_batch * model.context) > MAX_MICRO_BATCH_TOKENS:
        yield Violation(
            "budget.micro_batch",
            f"times context is {tokens:,} tokens in one forward pass; the limit is "
            f"{MAX_MICRO_BATCH_TOKENS:,}; lower micro_batch or model.context",
        )
    if budget.device not in DEVICES:
        yield Violation("budget.device", f"must be one of {', '.join(DEVICES)}")
    if spec.schedule.warmup_steps > budget.steps:
        yield Violation(
            "schedule.warmup_steps",
            f"must be at most budget.steps {budget.steps}, but is {spec.schedule.warmup_steps}",
        )
    elif spec.schedule.shape == run_spec_pb2.SCHEDULE_SHAPE_WSD:
        decay, room = decay_steps(spec), budget.steps - spec.schedule.warmup_steps
        if decay > room:
            yield Violation(
                "schedule.decay_share",
                f"makes {decay:,} steps of decay, but the warm-up leaves {room:,} of "
                f"{budget.steps:,} steps; lower it or schedule.warmup_steps",
            )


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _nearest_divisor(width: int, heads: int) -> int:
    divisors = [n for n in range(1, min(width, 256) + 1) if width % n == 0]
    return min(divisors, key=lambda n: (abs(n - heads), n))
