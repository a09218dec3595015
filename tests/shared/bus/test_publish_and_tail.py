"""From the publisher through a stream to a tail: complete, in order, once, whatever is killed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pytest

from lab.bus import Bus, HistoryLost, Publisher, tail
from lab.bus.streams import STEPS, ensure_streams
from lab.v1.event_pb2 import Event
from tests.support.events import TailReader, step
from tests.support.nats import NatsServer
from tests.support.waiting import until

pytestmark = pytest.mark.integration

RUN, SUBJECT = "runs/a", "lab.v1.step.a"


class Record:
    """A journal in memory: what is on it, and how far it was confirmed."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.confirmed: list[int] = []
        self.reads = 0

    def add(self, count: int) -> list[Event]:
        first = len(self.events) + 1
        new = [step(RUN, sequence) for sequence in range(first, first + count)]
        self.events += new
        return new

    async def refill(self, run: str, after: int, limit: int) -> Sequence[Event]:
        self.reads += 1
        return [event for event in self.events if event.sequence > after][:limit]

    def confirm(self, events: Sequence[Event]) -> None:
        self.confirmed += [event.sequence for event in events]


@asynccontextmanager
async def publishing(
    bus: Bus, record: Record, *, queue_limit: int = 10_000
) -> AsyncIterator[Publisher]:
    publisher = Publisher(
        bus, confirmed=record.confirm, refill=record.refill, queue_limit=queue_limit
    )
    task = asyncio.create_task(publisher.run())
    try:
        yield publisher
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_facts_arrive_in_order_and_are_confirmed(bus: Bus) -> None:
    record = Record()
    async with publishing(bus, record) as publisher, TailReader(bus, STEPS, [SUBJECT]) as reader:
        publisher.publish(record.add(1_000))
        await publisher.idle()
        await until(lambda: len(reader.seen) == 1_000)
    assert reader.sequences == list(range(1, 1_001)) == record.confirmed


async def test_a_killed_server_loses_and_doubles_nothing(nats: NatsServer, bus: Bus) -> None:
    record = Record()
    async with publishing(bus, record) as publisher, TailReader(bus, STEPS, [SUBJECT]) as reader:
        for _ in range(3):
            before = len(record.confirmed)
            publisher.publish(record.add(2_000))
            await until(partial(_grew, record.confirmed, before))
            assert len(record.confirmed) < len(record.events), "killed too late to hurt"
            await nats.kill()
            publisher.publish(record.add(100))
            await until(lambda: not bus.connected)
            await nats.start()
        await publisher.idle()
        await until(lambda: len(reader.seen) >= len(record.events), secs=20)
    assert reader.sequences == list(range(1, len(record.events) + 1))
    assert record.confirmed == reader.sequences


def _grew(items: Sequence[int], before: int) -> bool:
    return len(items) > before


async def test_a_deleted_consumer_is_replaced(bus: Bus) -> None:
    record = Record()
    async with publishing(bus, record) as publisher, TailReader(bus, STEPS, [SUBJECT]) as reader:
        publisher.publish(record.add(10))
        await until(lambda: len(reader.seen) == 10)
        jetstream = (await bus.connection()).jetstream
        (consumer,) = await jetstream.consumers_info(STEPS)
        assert await jetstream.delete_consumer(STEPS, consumer.name)
        publisher.publish(record.add(10))
        await until(lambda: len(reader.seen) == 20)
    assert reader.sequences == list(range(1, 21))


async def test_a_tail_leaves_no_consumer_behind_its_subscription(bus: Bus) -> None:
    record = Record()
    async with publishing(bus, record) as publisher, TailReader(bus, STEPS, [SUBJECT]) as reader:
        publisher.publish(record.add(1))
        await until(lambda: reader.seen)
    client = (await bus.connection()).client
    assert not [sub for sub in client._subs.values() if "_INBOX" in sub.subject and sub._cb is None]


async def test_a_poison_message_is_skipped(bus: Bus) -> None:
    jetstream = (await bus.connection()).jetstream
    async with TailReader(bus, STEPS, [SUBJECT]) as reader:
        await jetstream.publish(SUBJECT, step(RUN, 1).SerializeToString())
        await jetstream.publish(SUBJECT, b"\xff\xff not a protobuf")
        await jetstream.publish(SUBJECT, step(RUN, 2).SerializeToString())
        await until(lambda: len(reader.seen) == 2)
    assert reader.sequences == [1, 2]
    assert [place for place, _ in reader.seen] == [1, 3]


async def test_a_fact_published_twice_is_seen_once_even_past_the_servers_window(bus: Bus) -> None:
    jetstream = (await bus.connection()).jetstream
    async with TailReader(bus, STEPS, [SUBJECT]) as reader:
        for sequence in (1, 2, 1, 2, 3):  # no message id: the server stores all five
            await jetstream.publish(SUBJECT, step(RUN, sequence).SerializeToString())
        await until(lambda: 3 in reader.sequences)
    assert reader.sequences == [1, 2, 3]
    assert (await bus.position(STEPS)).last_sequence == 5


async def test_a_tail_starts_where_it_is_told_and_hears_only_its_subjects(bus: Bus) -> None:
    jetstream = (await bus.connection()).jetstream
    for sequence in range(1, 6):
        await jetstream.publish(SUBJECT, step(RUN, sequence).SerializeToString())
        await jetstream.publish("lab.v1.step.b", step("runs/b", sequence).SerializeToString())
    async with TailReader(bus, STEPS, [SUBJECT], start_sequence=6) as reader:
        await until(lambda: len(reader.seen) == 2)
    assert [(event.run, event.sequence) for _, event in reader.seen] == [(RUN, 4), (RUN, 5)]


async def test_a_place_in_another_life_of_the_stream_is_refused(bus: Bus) -> None:
    jetstream = (await bus.connection()).jetstream
    await jetstream.publish(SUBJECT, step(RUN, 1).SerializeToString())
    old = await bus.position(STEPS)
    await jetstream.delete_stream(STEPS)
    await ensure_streams(jetstream)
    with pytest.raises(HistoryLost):
        await anext(tail(bus, STEPS, [SUBJECT], start_sequence=1, epoch=old.epoch))
    with pytest.raises(HistoryLost):
        await anext(tail(bus, STEPS, [SUBJECT], start_sequence=2))


async def test_a_place_before_the_streams_beginning_is_refused(bus: Bus) -> None:
    jetstream = (await bus.connection()).jetstream
    for sequence in range(1, 11):
        await jetstream.publish(SUBJECT, step(RUN, sequence).SerializeToString())
    await jetstream.purge_stream(STEPS, keep=3)
    with pytest.raises(HistoryLost, match="now begins at 8"):
        await anext(tail(bus, STEPS, [SUBJECT], start_sequence=5))


async def test_what_does_not_fit_in_memory_is_read_back_from_the_journal(nats: NatsServer) -> None:
    record = Record()
    await nats.kill()
    async with Bus(nats.url, name="test") as bus, publishing(bus, record, queue_limit=50) as out:
        for _ in range(20):
            out.publish(record.add(25))
        assert record.reads == 0
        await nats.start()
        async with TailReader(bus, STEPS, [SUBJECT]) as reader:
            await out.idle()
            await until(lambda: len(reader.seen) == 500)
    assert record.reads > 1
    assert reader.sequences == list(range(1, 501)) == record.confirmed


async def test_a_fact_too_large_for_the_server_does_not_hold_up_the_rest(bus: Bus) -> None:
    record = Record()
    async with publishing(bus, record) as publisher, TailReader(bus, STEPS, [SUBJECT]) as reader:
        small, large = record.add(1), record.add(1)
        large[0].producer = "x" * 300_000  # the server's limit here is 256 KB
        publisher.publish([*small, *large, *record.add(1)])
        await until(lambda: len(reader.seen) == 2)
        await publisher.idle()
    assert reader.sequences == [1, 3]
    assert record.confirmed == [1, 2, 3]
