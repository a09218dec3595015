"""From a request to a run: the spec resolved, checked and frozen."""

import asyncio
from typing import Final

from lab import names
from lab.errors import InvalidArgument, OverLimit
from lab.spec import resolve
from lab.text import Corpora
from lab.v1 import run_pb2
from lab.v1.run_pb2 import Run, RunStats
from lab.v1.trainer_service_pb2 import CreateRunRequest, ForkRunRequest
from services.trainer.runs import asking

MAX_NAME_CHARACTERS: Final = 200
MAX_NOTES_CHARACTERS: Final = 10_000
MAX_REQUEST_ID_CHARACTERS: Final = 200


async def run_from(request: CreateRunRequest, corpora: Corpora) -> Run:
    """The run as it would be, without a name. Raises InvalidArgument for every field at fault."""
    check_asked(request)
    if not request.preset:
        raise InvalidArgument.field("preset", "must be given; see the list of presets")
    resolved = await asyncio.to_thread(resolve, request.preset, request.overrides, corpora)
    return Run(
        display_name=request.display_name.strip() or request.run_id,
        state=run_pb2.RUN_STATE_PENDING,
        spec=resolved.spec,
        preset=resolved.preset,
        tags=asking.checked_tags(request.tags),
        prediction=request.prediction if request.HasField("prediction") else None,
        stats=RunStats(
            total_steps=resolved.spec.budget.steps,
            parameters=resolved.parameters,
            corpus_tokens=resolved.train_tokens,
            epoch_sequences=resolved.epoch_sequences,
        ),
    )


def check_asked(request: CreateRunRequest | ForkRunRequest) -> None:
    """What is asked for beside the spec."""
    check_text("display_name", request.display_name, limit=MAX_NAME_CHARACTERS)
    check_text("request_id", request.request_id, limit=MAX_REQUEST_ID_CHARACTERS)
    if request.run_id:
        names.check_id("run_id", request.run_id)
    asking.checked_tags(request.tags)
    asking.check_prediction(request.prediction)


def check_text(field: str, text: str, *, limit: int) -> None:
    if len(text) > limit:
        raise OverLimit.field(field, f"must be at most {limit:,} characters, but is {len(text):,}")
