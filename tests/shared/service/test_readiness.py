"""Ready means: listening, and everything needed has answered and none of it is lost."""

import pytest

from lab.service.readiness import Readiness


@pytest.fixture
def changes() -> list[bool]:
    return []


@pytest.fixture
def readiness(changes: list[bool]) -> Readiness:
    made = Readiness()
    made.watch(changes.append)
    return made


def test_a_service_that_needs_nothing_is_ready_when_it_listens(
    readiness: Readiness, changes: list[bool]
) -> None:
    assert not readiness.ready
    readiness.listening(True)
    assert readiness.ready
    assert changes == [True]


def test_it_is_not_ready_before_each_need_has_answered(
    readiness: Readiness, changes: list[bool]
) -> None:
    readiness.needs("nats", "nats://here")
    readiness.needs("checkpoint", "there:1")
    readiness.listening(True)
    assert readiness.waiting_for == ["checkpoint at there:1", "nats at nats://here"]
    readiness.met("nats")
    assert changes == []
    readiness.met("checkpoint")
    assert changes == [True]
    assert readiness.waiting_for == []


def test_a_lost_need_ends_readiness_and_its_return_restores_it(
    readiness: Readiness, changes: list[bool]
) -> None:
    readiness.needs("nats", "nats://here")
    readiness.listening(True)
    readiness.met("nats")
    readiness.lost("nats", "nats://here")
    assert readiness.waiting_for == ["nats at nats://here"]
    readiness.met("nats")
    assert changes == [True, False, True]


def test_saying_the_same_again_changes_nothing(readiness: Readiness, changes: list[bool]) -> None:
    readiness.needs("nats", "nats://here")
    readiness.listening(True)
    for _ in range(3):
        readiness.met("nats")
    for _ in range(3):
        readiness.lost("nats", "nats://here")
    assert changes == [True, False]
