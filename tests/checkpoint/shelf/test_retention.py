"""A policy keeps what it says, says why, and removes the rest; twice is as once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lab.errors import Code, LabError
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.checkpoint_service_pb2 import (
    ApplyRetentionRequest,
    ListCheckpointsRequest,
    RestoreCheckpointRequest,
    RetentionPolicy,
    UpdateCheckpointRequest,
)
from services.checkpoint.shelf.retention import decide
from tests.support.checkpoint_service import parts, safetensors, write

if TYPE_CHECKING:
    from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceAsyncStub as Stub

FILES = {"model.safetensors": safetensors(b"weights"), "config.json": b"{}"}


def _name(step: int) -> str:
    return f"runs/nano-1/checkpoints/step-{step:08d}"


def _checkpoint(
    step: int, *, loss: float | None = None, validation: float | None = None, pinned: bool = False
) -> Checkpoint:
    return Checkpoint(
        name=_name(step),
        step=step,
        size_bytes=10,
        loss=loss,
        validation_loss=validation,
        pinned=pinned,
    )


def _kept(checkpoints: list[Checkpoint], **policy: Any) -> dict[int, list[str]]:
    settings = RetentionPolicy(**{"keep_last": 2, **policy})
    return {
        each.step: list(each.kept_because)
        for each in decide(checkpoints, settings)
        if each.kept_because
    }


def test_the_last_are_kept_by_step_not_by_order() -> None:
    found = [_checkpoint(step) for step in (30, 10, 40, 20)]
    assert _kept(found) == {40: ["last 2"], 30: ["last 2"]}


def test_weights_only_push_out_none_that_can_be_resumed() -> None:
    found = [_checkpoint(step) for step in (10, 20, 30)]
    for step in (40, 50, 60):
        weights = _checkpoint(step)
        weights.name = f"runs/nano-1/checkpoints/weights-{step:08d}"
        found.append(weights)
    assert list(_kept(found)) == [60, 50, 30, 20]


def test_the_best_is_by_validation_where_any_was_validated() -> None:
    found = [
        _checkpoint(1, loss=1.0),
        _checkpoint(2, loss=9.0, validation=3.0),
        _checkpoint(3, loss=8.0, validation=float("nan")),
        _checkpoint(4, loss=7.0, validation=4.0),
        _checkpoint(5),
    ]
    assert _kept(found, keep_best=True) == {5: ["last 2"], 4: ["last 2"], 2: ["best"]}
    assert 1 in _kept([each for each in found if each.step != 2 and each.step != 4], keep_best=True)


def test_multiples_octaves_and_pins_are_kept_with_every_reason() -> None:
    found = [_checkpoint(step, pinned=step == 70) for step in range(10, 101, 10)]
    assert _kept(found, keep_every=50, log_spaced=True) == {
        100: ["last 2", "every 50"],
        90: ["last 2"],
        70: ["pinned", "log-spaced"],
        50: ["every 50"],
        40: ["log-spaced"],
        20: ["log-spaced"],
        10: ["log-spaced"],
    }


@pytest.mark.parametrize("last", [0, 1])
def test_fewer_than_two_is_refused(last: int) -> None:
    with pytest.raises(LabError, match="at least 2, because the newest checkpoint"):
        decide([_checkpoint(1)], RetentionPolicy(keep_last=last))


@given(
    steps=some.sets(some.integers(0, 5000), max_size=40),
    pins=some.sets(some.integers(0, 5000), max_size=5),
    last=some.integers(2, 5),
    every=some.integers(0, 300),
    best=some.booleans(),
    log_spaced=some.booleans(),
)
def test_what_is_kept_is_kept_again(
    steps: set[int], pins: set[int], last: int, every: int, best: bool, log_spaced: bool
) -> None:
    policy = RetentionPolicy(
        keep_last=last, keep_every=every, keep_best=best, log_spaced=log_spaced
    )
    found = [_checkpoint(step, loss=step % 7, pinned=step in pins) for step in steps]
    decisions = decide(found, policy)
    assert [each.step for each in decisions] == sorted(steps, reverse=True)
    kept = {each.step for each in decisions if each.kept_because}
    assert kept >= set(sorted(steps)[-last:]) | (steps & pins)
    again = decide([each for each in found if each.step in kept], policy)
    assert all(each.kept_because for each in again)


async def test_a_dry_run_says_what_the_real_one_does(stub: Stub) -> None:
    for step in (4, 5, 1, 2, 3):
        sent = parts(FILES, name=_name(step))
        sent[0].header.step = step
        await write(stub, sent)
    await write(stub, parts(FILES, name="runs/nano-2/checkpoints/step-00000001"))
    await stub.UpdateCheckpoint(UpdateCheckpointRequest(name=_name(1), pinned=True))
    request = ApplyRetentionRequest(
        run="runs/nano-1", policy=RetentionPolicy(keep_last=2), dry_run=True
    )
    foretold = await stub.ApplyRetention(request)
    assert len((await stub.ListCheckpoints(ListCheckpointsRequest())).checkpoints) == 6
    assert foretold.removed_bytes == 2 * sum(map(len, FILES.values()))
    request.dry_run = False
    assert await stub.ApplyRetention(request) == foretold
    left = await stub.ListCheckpoints(ListCheckpointsRequest(run="runs/nano-1"))
    assert {each.step for each in left.checkpoints} == {5, 4, 1}
    restored = await stub.RestoreCheckpoint(RestoreCheckpointRequest(name=_name(3)))
    assert restored.checkpoint.step == 3


@pytest.mark.parametrize("run", ["", "nano-1", "runs/imports", "runs/../x"])
async def test_only_one_run_at_a_time(stub: Stub, run: str) -> None:
    request = ApplyRetentionRequest(run=run, policy=RetentionPolicy(keep_last=2))
    with pytest.raises(LabError) as caught:
        await stub.ApplyRetention(request)
    assert caught.value.code is Code.INVALID_ARGUMENT
