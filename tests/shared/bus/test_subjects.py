"""Subjects and streams: one table, no holes, no overlaps."""

import pytest

from lab.bus import subjects
from lab.bus.streams import STREAMS
from lab.errors import InvalidArgument
from lab.v1.event_pb2 import CheckpointChanged, Event, ServiceBeat, StepMeasured


def test_every_fact_has_exactly_one_topic() -> None:
    facts = [field.name for field in Event.DESCRIPTOR.oneofs_by_name["fact"].fields]
    assert sorted(subjects.TOPICS) == sorted(facts)


def test_every_topic_but_what_is_only_said_is_kept_by_one_stream() -> None:
    kept = [subject for stream in STREAMS for subject in stream.subjects or []]
    assert len(kept) == len(set(kept))
    assert {subjects.topic(name) for name in subjects.TOPICS.values()} - set(kept) == {
        "lab.v1.beat.*",
        "lab.v1.shelf.*",
    }


def test_subjects_have_four_tokens_with_the_run_last() -> None:
    event = Event(run="runs/nano-7f3k", step_measured=StepMeasured(step=3))
    assert subjects.subject_of(event) == "lab.v1.step.nano-7f3k"
    assert subjects.who("lab.v1.step.nano-7f3k") == "nano-7f3k"


def test_beats_go_by_the_service() -> None:
    event = Event(service_beat=ServiceBeat(service="trainer"))
    assert subjects.subject_of(event) == "lab.v1.beat.trainer"


def test_a_change_of_a_checkpoint_goes_by_its_run() -> None:
    name = "runs/nano-7f3k/checkpoints/step-00000001"
    event = Event(checkpoint_changed=CheckpointChanged(checkpoint=name))
    assert subjects.subject_of(event) == "lab.v1.shelf.nano-7f3k"
    with pytest.raises(InvalidArgument):
        subjects.subject_of(Event(checkpoint_changed=CheckpointChanged(checkpoint="runs/>/peek")))


def test_a_run_that_would_break_out_of_its_token_has_no_subject() -> None:
    with pytest.raises(InvalidArgument):
        subjects.subject_of(Event(run="runs/a.>", step_measured=StepMeasured()))
    with pytest.raises(ValueError, match="without a fact"):
        subjects.subject_of(Event(run="runs/a"))
    with pytest.raises(ValueError, match="no topic"):
        subjects.topic("steps")
