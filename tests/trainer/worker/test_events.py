"""What the worker keeps of what it told."""

from __future__ import annotations

from lab.manifest import MAX_TOLD_BYTES
from lab.v1.event_pb2 import LogWritten, StepMeasured
from lab.v1.recording_pb2 import HealthMeasured
from lab.v1.worker_pb2 import WorkerEvent
from services.trainer.worker.events import Telling


def step(number: int) -> WorkerEvent:
    return WorkerEvent(step_measured=StepMeasured(step=number))


def health(number: int, *, tensors: int) -> WorkerEvent:
    return WorkerEvent(health_measured=HealthMeasured(step=number, weight_rms=[1.0] * tensors))


def test_all_is_sent_and_what_was_measured_is_kept() -> None:
    sent: list[WorkerEvent] = []
    tell = Telling(sent.append)
    said = [step(1), WorkerEvent(log_written=LogWritten(text="hello")), health(1, tensors=3)]
    for event in said:
        tell(event)
    assert sent == said
    assert tell.so_far()[0] == [said[0], said[2]]


def test_a_save_takes_along_what_was_there_when_it_began() -> None:
    tell = Telling(lambda event: None)
    tell(step(1))
    tell(step(2))
    told, mark = tell.so_far()
    tell(step(3))  # while it is written
    tell.saved(mark)
    tell.saved(mark)
    assert [event.step_measured.step for event in told] == [1, 2]
    assert [event.step_measured.step for event in tell.so_far()[0]] == [3]


def test_the_oldest_are_dropped_beyond_the_limit() -> None:
    tell = Telling(lambda event: None)
    each = health(1, tensors=100_000)
    for number in range(1, 21):
        tell(health(number, tensors=100_000))
        if number == 2:
            _, mark = tell.so_far()
    kept = tell.so_far()[0]
    assert kept[-1].health_measured.step == 20
    assert len(kept) == MAX_TOLD_BYTES // each.ByteSize() < 20
    tell.saved(mark)  # of which nothing is left
    assert tell.so_far()[0] == kept
