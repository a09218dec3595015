"""Every fact has one subject, every kept subject one stream, and streams share nothing."""

import itertools

import pytest

from lab.bus import streams, subjects
from lab.v1.event_pb2 import Event

FACTS = [field.name for field in Event.DESCRIPTOR.oneofs_by_name["fact"].fields]
NEVER_KEPT = {"service_beat", "checkpoint_changed"}


def filled(fact: str) -> Event:
    event = Event(run="runs/nano-a", sequence=1)
    getattr(event, fact).SetInParent()
    if fact == "service_beat":
        event.run = ""
        event.service_beat.service = "trainer"
    if fact == "checkpoint_changed":
        event.checkpoint_changed.checkpoint = "runs/nano-a/checkpoints/step-00000001"
    return event


def matches(subject: str, pattern: str) -> bool:
    """NATS subjects: * stands for one token, > for the rest."""
    wanted, found = pattern.split("."), subject.split(".")
    for want, token in itertools.zip_longest(wanted, found):
        if want == ">":
            return token is not None
        if want is None or token is None or want not in ("*", token):
            return False
    return True


def keepers(subject: str) -> list[str]:
    return [
        str(stream.name)
        for stream in streams.STREAMS
        if any(matches(subject, pattern) for pattern in stream.subjects or [])
    ]


def test_the_table_names_every_fact_and_nothing_else() -> None:
    assert sorted(subjects.TOPICS) == sorted(FACTS)


@pytest.mark.parametrize("fact", FACTS)
def test_a_fact_has_a_subject_of_four_tokens_with_its_run_last(fact: str) -> None:
    tokens = subjects.subject_of(filled(fact)).split(".")
    assert len(tokens) == 4
    assert tokens[:2] == ["lab", "v1"]
    assert tokens[3] == ("trainer" if fact == "service_beat" else "nano-a")


@pytest.mark.parametrize("fact", FACTS)
def test_a_fact_is_kept_by_exactly_one_stream_or_by_design_by_none(fact: str) -> None:
    subject = subjects.subject_of(filled(fact))
    assert len(keepers(subject)) == (0 if fact in NEVER_KEPT else 1)


def test_filters_of_streams_do_not_overlap() -> None:
    patterns = [pattern for stream in streams.STREAMS for pattern in stream.subjects or []]
    for one, other in itertools.combinations(patterns, 2):
        assert not matches(one.replace("*", "x"), other), f"{one} and {other}"


def test_streams_fit_into_what_the_server_may_store() -> None:
    """configs/cluster/nats.conf gives JetStream 4 GB; a stream beyond it would be refused."""
    total = sum(stream.max_bytes or 0 for stream in streams.STREAMS)
    assert 0 < total <= 4 * 1000**3
    assert all((stream.max_bytes or 0) > 0 for stream in streams.STREAMS)
