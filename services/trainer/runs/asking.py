"""The limits of what may be said about a run beside its spec: tags, live settings, a prediction."""

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import Final

from lab.errors import InvalidArgument, OverLimit, PreconditionFailed, Violation
from lab.run_state import ENDED
from lab.spec import CorpusFacts
from lab.spec.resolve import prompt_violations
from lab.v1 import run_pb2
from lab.v1.run_pb2 import LiveSettings, LossPrediction, Run

MAX_TAGS: Final = 20
MAX_TAG_CHARACTERS: Final = 40
MAX_RATE_SCALE: Final = 100.0
MAX_STEPS_BETWEEN: Final = 100_000_000
MAX_MINUTES: Final = 100_000
MAX_PREDICTION_POINTS: Final = 1_000


def checked_tags(tags: Iterable[str]) -> list[str]:
    """Without spaces around them, each once, in alphabetical order."""
    clean = sorted({tag.strip() for tag in tags} - {""})
    if len(clean) > MAX_TAGS:
        raise OverLimit.field("tags", f"must be at most {MAX_TAGS}, but are {len(clean)}")
    for tag in clean:
        if len(tag) > MAX_TAG_CHARACTERS or not tag.isprintable() or "," in tag:
            raise InvalidArgument.field(
                "tags",
                f"must be words of at most {MAX_TAG_CHARACTERS} characters without commas and "
                "line breaks",
            )
    return clean


def check_live(run: Run, live: LiveSettings, corpora: CorpusFacts) -> None:
    """Raises InvalidArgument for values outside their limits, PreconditionFailed when the run will
    make no step any more."""
    if found := list(_live_violations(live, run.spec.model.context, corpora)):
        raise InvalidArgument.of(*found)
    if run.state in ENDED and run_pb2.RUN_VERB_RESUME not in run.allowed_verbs:
        raise PreconditionFailed(
            f"{run.name} has made its last step, so nothing can be changed for its next ones",
            metadata={"allowed": ""},
        )


def _live_violations(live: LiveSettings, context: int, corpora: CorpusFacts) -> Iterator[Violation]:
    scale = live.learning_rate_scale
    if live.HasField("learning_rate_scale") and not 0 < scale <= MAX_RATE_SCALE:
        limits = f"must be above 0 and at most {MAX_RATE_SCALE:g}, but is {scale:g}"
        yield Violation("live.learning_rate_scale", limits)
    if live.sample_every > MAX_STEPS_BETWEEN:
        limits = f"must be at most {MAX_STEPS_BETWEEN:,}, but is {live.sample_every:,}"
        yield Violation("live.sample_every", limits)
    if live.checkpoint_every > MAX_STEPS_BETWEEN:
        limits = f"must be at most {MAX_STEPS_BETWEEN:,}, but is {live.checkpoint_every:,}"
        yield Violation("live.checkpoint_every", limits)
    if not 0 <= live.checkpoint_minutes <= MAX_MINUTES:
        limits = f"must be 0 to {MAX_MINUTES:,}, but is {live.checkpoint_minutes:g}"
        yield Violation("live.checkpoint_minutes", limits)
    if live.HasField("sample_prompts"):
        path, prompts = "live.sample_prompts", live.sample_prompts.prompts
        if not prompts:
            yield Violation(path, "must not be empty; set live.sample_every to 0 for no samples")
        yield from prompt_violations(path, prompts, context=context, corpora=corpora)


def check_prediction(prediction: LossPrediction) -> None:
    """Raises InvalidArgument unless it is a curve: steps that rise, a loss at each."""
    steps, losses = prediction.steps, prediction.losses
    if len(steps) != len(losses) or len(steps) > MAX_PREDICTION_POINTS:
        raise InvalidArgument.field(
            "prediction",
            f"must have one loss for each step, {MAX_PREDICTION_POINTS:,} at most, but has "
            f"{len(steps):,} steps and {len(losses):,} losses",
        )
    if any(later <= earlier for earlier, later in itertools.pairwise(steps)):
        raise InvalidArgument.field("prediction.steps", "must rise")
    if any(not math.isfinite(loss) or loss < 0 for loss in losses):
        raise InvalidArgument.field("prediction.losses", "must be numbers, 0 or more")
