"""From a checkpoint to a new run that goes on from it with other settings."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

from lab import names
from lab.errors import InvalidArgument, Violation
from lab.spec import load_presets, overlay_spec, resolve
from lab.text import Corpora
from lab.v1 import checkpoint_service_pb2_grpc as services
from lab.v1 import run_pb2
from lab.v1.checkpoint_pb2 import CHECKPOINT_KIND_FULL, Checkpoint
from lab.v1.checkpoint_service_pb2 import GetCheckpointRequest
from lab.v1.run_pb2 import Run, RunParent, RunStats
from lab.v1.run_spec_pb2 import ModelSpec, RunSpec
from lab.v1.trainer_service_pb2 import ForkRunRequest
from services.trainer.runs import asking, creating

_MAY_CHANGE: Final = ("dropout",)  # of the model: all else is the shape of its weights
_ANY_PRESET: Final = "nano"  # fills in what a spec written by an older version does not say


async def fork_of(
    request: ForkRunRequest, checkpoints: services.CheckpointServiceAsyncStub, corpora: Corpora
) -> Run:
    """The run as it would be, without a name. Raises InvalidArgument for every field at fault."""
    creating.check_asked(request)
    run_id, checkpoint_id = names.checkpoint_ids(request.checkpoint)
    if checkpoint_id is None:
        raise InvalidArgument.field("checkpoint", "must be a saved checkpoint, not a peek")
    answer = await checkpoints.GetCheckpoint(GetCheckpointRequest(name=request.checkpoint))
    checkpoint = answer.checkpoint
    if checkpoint.kind != CHECKPOINT_KIND_FULL:
        raise InvalidArgument.field(
            "checkpoint",
            "holds weights only; a fork needs the state of the optimizer too: take a full one",
        )
    if found := list(_model_violations(checkpoint.spec.model, request.overrides.model)):
        raise InvalidArgument.of(*found)
    wanted = _spec(checkpoint.spec, request.overrides)
    if wanted.budget.HasField("steps"):
        _check_steps(wanted, checkpoint)
    known = checkpoint.preset in await asyncio.to_thread(load_presets)
    preset = checkpoint.preset if known else _ANY_PRESET
    resolved = await asyncio.to_thread(resolve, preset, wanted, corpora)
    _check_steps(resolved.spec, checkpoint)
    return Run(
        display_name=request.display_name.strip() or request.run_id,
        state=run_pb2.RUN_STATE_PENDING,
        spec=resolved.spec,
        preset=preset,
        tags=asking.checked_tags(request.tags),
        prediction=request.prediction if request.HasField("prediction") else None,
        parent=RunParent(
            run=names.run_name(run_id), checkpoint=request.checkpoint, step=checkpoint.step
        ),
        inexact_reasons=checkpoint.inexact_reasons,
        stats=_stats(checkpoint, resolved.spec, resolved.parameters),
    )


def _check_steps(spec: RunSpec, checkpoint: Checkpoint) -> None:
    if spec.budget.steps <= checkpoint.step:
        raise InvalidArgument.field(
            "budget.steps",
            f"must be more than {checkpoint.step:,}, which the checkpoint has made, but is "
            f"{spec.budget.steps:,}",
        )


def _spec(parent: RunSpec, overrides: RunSpec) -> RunSpec:
    """What the parent was trained with, and over it what is asked for."""
    spec = RunSpec()
    spec.CopyFrom(parent)
    if overrides.budget.HasField("epochs"):
        spec.budget.ClearField("steps")
    if overrides.budget.HasField("batch"):
        spec.budget.ClearField("micro_batch")  # follows the batch
    overlay_spec(spec, overrides)
    return spec


def _stats(checkpoint: Checkpoint, spec: RunSpec, parameters: int) -> RunStats:
    stats = RunStats(
        step=checkpoint.step,
        tokens=checkpoint.tokens,
        total_steps=spec.budget.steps,
        parameters=parameters,
    )
    if checkpoint.HasField("loss"):
        stats.loss = checkpoint.loss
    if checkpoint.HasField("validation_loss"):
        stats.validation_loss = checkpoint.validation_loss
    return stats


def _model_violations(parent: ModelSpec, overrides: ModelSpec) -> Iterator[Violation]:
    for field, value in overrides.ListFields():
        here = getattr(parent, field.name)
        if field.name not in _MAY_CHANGE and value != here:
            yield Violation(
                f"model.{field.name}",
                f"must stay {here}, but is {value}: the weights of a checkpoint have one shape",
            )
