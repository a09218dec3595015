"""A preset, and what someone wants different, become one complete and checked spec."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lab.errors import InvalidArgument, Violation
from lab.spec import check
from lab.spec.fields import unknown
from lab.spec.parameters import count_parameters
from lab.spec.presets import load_presets
from lab.v1.run_spec_pb2 import RunSpec

WARMUP_SHARE = 0.1  # of a run shorter than its preset's warm-up expects


class CorpusFacts(Protocol):
    """What a spec is checked against; `lab.text.Corpora` is one."""

    def ids(self) -> Sequence[str]:
        """The corpora known here, sorted."""

    def split_sizes(self, corpus: str, *, validation_fraction: float) -> tuple[int, int]:
        """Tokens of the training and of the validation split of a known corpus."""

    def count_tokens(self, text: str) -> int:
        """Tokens of a text."""


@dataclass(frozen=True)
class ResolvedSpec:
    """A spec that can be trained, and the sizes that were worked out on the way."""

    preset: str
    spec: RunSpec
    parameters: int
    train_tokens: int
    validation_tokens: int
    epoch_sequences: int


def windows(tokens: int, context: int) -> int:
    """Sequences in so many tokens: window i covers [i T, i T + T + 1), the rest is dropped.

    The one extra token is the last target; neighbours share it: n tokens give floor((n - 1) / T).
    """
    return max(0, (tokens - 1) // context)


def resolve(preset: str, overrides: RunSpec, corpora: CorpusFacts) -> ResolvedSpec:
    """Lays the overrides over the preset and checks the result.

    Raises InvalidArgument with one violation per field at fault.
    """
    presets = load_presets()
    if preset not in presets:
        raise InvalidArgument.field("preset", f'"{preset}" {unknown(preset, list(presets))}')
    budget = overrides.budget
    found: list[Violation] = []
    if budget.HasField("steps") and budget.HasField("epochs"):
        found.append(Violation("budget.epochs", "give steps or epochs, not both"))
    spec = _merge(presets[preset].spec, overrides)
    found += check.range_violations(spec)
    found += check.missing_fields(spec)
    if found:  # what follows divides by these numbers
        found += _corpus_violations(spec, corpora)
        found += _prompt_violations(spec, corpora)
        raise InvalidArgument.of(*found)

    _fit_micro_batch(spec, overrides)
    found += _corpus_violations(spec, corpora)
    train = validation = 0
    if not found:
        train, validation = corpora.split_sizes(
            spec.data.corpus, validation_fraction=spec.data.validation_fraction
        )
        found += _size_violations(spec, train=train, validation=validation)
    sequences = windows(train, spec.model.context)
    if spec.budget.HasField("epochs"):
        steps = max(1, math.ceil(spec.budget.epochs * sequences / spec.budget.batch))
        spec.budget.ClearField("epochs")
        spec.budget.steps = steps
        found += check.range_violations(spec)
    _fit_warmup(spec, overrides)
    found += check.relation_violations(spec)
    found += _prompt_violations(spec, corpora)
    if found:
        raise InvalidArgument.of(*found)
    return ResolvedSpec(
        preset=preset,
        spec=spec,
        parameters=count_parameters(spec.model),
        train_tokens=train,
        validation_tokens=validation,
        epoch_sequences=sequences,
    )


def overlay_spec(spec: RunSpec, overrides: RunSpec) -> None:
    """Field by field; a given list replaces the whole list (protobuf's own merge would append)."""
    for name in ("sample_prompts", "probe_texts"):
        if getattr(overrides.hooks, name):
            spec.hooks.ClearField(name)
    spec.MergeFrom(overrides)


def _merge(preset: RunSpec, overrides: RunSpec) -> RunSpec:
    spec = RunSpec()
    spec.CopyFrom(preset)
    overlay_spec(spec, overrides)
    if overrides.budget.HasField("epochs"):
        # The preset's number of steps is not a wish of this run.
        spec.budget.steps = 1
    return spec


def _fit_micro_batch(spec: RunSpec, overrides: RunSpec) -> None:
    """A micro_batch nobody asked for follows the batch: the largest divisor up to the preset's."""
    if not overrides.budget.HasField("micro_batch"):
        limit, batch = spec.budget.micro_batch, spec.budget.batch
        spec.budget.micro_batch = max(n for n in range(1, limit + 1) if batch % n == 0)


def _fit_warmup(spec: RunSpec, overrides: RunSpec) -> None:
    """A warm-up nobody asked for takes at most a tenth of a short run."""
    if not overrides.schedule.HasField("warmup_steps"):
        limit = int(spec.budget.steps * WARMUP_SHARE)
        spec.schedule.warmup_steps = min(spec.schedule.warmup_steps, limit)


def _corpus_violations(spec: RunSpec, corpora: CorpusFacts) -> list[Violation]:
    known = list(corpora.ids())
    corpus = spec.data.corpus
    if corpus in known:
        return []
    return [Violation("data.corpus", f'"{corpus[:63]}" {unknown(corpus, known)}')]


def _size_violations(spec: RunSpec, *, train: int, validation: int) -> list[Violation]:
    """A window needs one token more than the context: the target of its last position."""
    found: list[Violation] = []
    corpus, needed = spec.data.corpus, spec.model.context + 1
    if train < needed:
        found.append(
            Violation(
                "data.corpus",
                f"{corpus} has {train:,} training tokens, but one window of context "
                f"{spec.model.context:,} needs {needed:,}; take a larger corpus or lower "
                "model.context",
            )
        )
    if spec.hooks.evaluate_every and validation < needed:
        found.append(
            Violation(
                "data.validation_fraction",
                f"leaves {validation:,} validation tokens of {corpus}, but one window needs "
                f"{needed:,}; raise it, take a larger corpus, lower model.context, or set "
                "hooks.evaluate_every to 0",
            )
        )
    return found


def _prompt_violations(spec: RunSpec, corpora: CorpusFacts) -> list[Violation]:
    hooks, context = spec.hooks, spec.model.context
    return [
        *prompt_violations(
            "hooks.sample_prompts", hooks.sample_prompts, context=context, corpora=corpora
        ),
        # Of a long one the beginning is read, so it may be longer than the context.
        *prompt_violations("hooks.probe_texts", hooks.probe_texts, context=0, corpora=corpora),
    ]


def prompt_violations(
    path: str, prompts: Sequence[str], *, context: int, corpora: CorpusFacts
) -> list[Violation]:
    """What is wrong with prompts for a model that reads `context` tokens."""
    if len(prompts) > check.MAX_PROMPTS:
        return [Violation(path, f"must be at most {check.MAX_PROMPTS}, but are {len(prompts)}")]
    found: list[Violation] = []
    for index, prompt in enumerate(prompts):
        here = f"{path}[{index}]"
        if not prompt:
            found.append(Violation(here, "must not be empty; give at least one character"))
        elif len(prompt) > check.MAX_PROMPT_CHARACTERS:
            found.append(
                Violation(
                    here,
                    f"must be at most {check.MAX_PROMPT_CHARACTERS:,} characters, "
                    f"but is {len(prompt):,}",
                )
            )
        elif (tokens := corpora.count_tokens(prompt)) >= context > 0:
            found.append(
                Violation(
                    here,
                    f"is {tokens:,} tokens; context {context:,} must leave room for at "
                    "least one new one; shorten it",
                )
            )
    return found
