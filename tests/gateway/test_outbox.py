"""Outbox and frames, without a network: what is kept, what is dropped, in which order."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.v1.event_pb2 import Event, LogWritten, ServiceBeat, StepMeasured
from lab.v1.live_pb2 import (
    Ack,
    ClientFrame,
    Hello,
    Publication,
    ServerFrame,
    ServerMessage,
    Snapshot,
    StreamPosition,
    Subscribe,
    Welcome,
)
from lab.v1.series_pb2 import Series, SeriesSet
from services.gateway.live.channels import State
from services.gateway.live.feeds import Follower
from services.gateway.live.flow import ACK_WINDOW_BYTES, Window
from services.gateway.live.frames import CODECS, BadFrame
from services.gateway.live.outbox import Item, Outbox, Policy
from services.gateway.live.subscription import Subscription
from tests.support.waiting import until


def step(offset: int) -> Item:
    event = Event(run="runs/a", sequence=offset, step_measured=StepMeasured(step=offset))
    return Item.of(Publication(offset=offset, event=event))


def beat(service: str, offset: int) -> Item:
    event = Event(service_beat=ServiceBeat(service=service, uptime_secs=offset))
    return Item.of(Publication(offset=offset, event=event), key=service)


def taken(outbox: Outbox) -> list[ServerMessage]:
    return [message for frame in outbox.take() for message in frame]


@given(flushes=st.lists(st.integers(0, 30), max_size=20))
def test_all_is_complete_and_in_order_however_it_is_flushed(flushes: list[int]) -> None:
    outbox = Outbox()
    lane = outbox.lane(1, Policy.ALL)
    seen: list[int] = []
    offset = 0
    for count in flushes:
        for _ in range(count):
            offset += 1
            assert lane.publish(step(offset))
        seen += [message.publication.offset for message in taken(outbox)]
    assert seen == list(range(1, offset + 1))
    assert outbox.size_bytes == 0


@given(beats=st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), min_size=1, max_size=60))
def test_latest_ends_with_the_newest_of_each_key(beats: list[tuple[str, bool]]) -> None:
    outbox = Outbox()
    lane = outbox.lane(1, Policy.LATEST)
    seen: dict[str, int] = {}
    newest: dict[str, int] = {}
    for offset, (service, flush) in enumerate(beats, start=1):
        newest[service] = offset
        assert lane.publish(beat(service, offset))
        assert len(lane.entries) <= 3
        if flush:
            seen |= {
                message.publication.event.service_beat.service: message.publication.offset
                for message in taken(outbox)
            }
    seen |= {
        message.publication.event.service_beat.service: message.publication.offset
        for message in taken(outbox)
    }
    assert seen == newest
    assert outbox.size_bytes == 0


class Truth:
    """A feed that knows every step there is."""

    policy = Policy.SERIES

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.follower: Follower | None = None
        self.snapshots = 0

    def happen(self) -> None:
        self.steps.append(len(self.steps) + 1)
        if self.follower:
            self.follower.offer(step(self.steps[-1]))

    async def position(self) -> StreamPosition:
        return StreamPosition(epoch="e", offset=len(self.steps))

    async def can_recover(self, since: StreamPosition) -> bool:
        return since.epoch == "e"

    async def state(self, max_points: int) -> tuple[StreamPosition, State]:
        self.snapshots += 1
        series = SeriesSet(run="runs/a", series=[Series(name="loss", steps=self.steps)])
        return await self.position(), State(Snapshot(series=series))

    async def ready(self) -> None:
        return

    def attach(self, follower: Follower, *, after: StreamPosition) -> None:
        self.follower = follower
        for offset in self.steps[after.offset :]:
            follower.offer(step(offset))

    def detach(self, follower: Follower) -> None:
        self.follower = None

    def release(self) -> None:
        return


def told(truth: Truth, *, snapshots: int) -> bool:
    """So many were asked for, and what comes after the last is told."""
    return truth.snapshots == snapshots and truth.follower is not None


@given(rounds=st.lists(st.integers(0, 25), min_size=1, max_size=6))
@settings(max_examples=25, deadline=None)
async def test_series_plus_a_snapshot_equals_the_truth(rounds: list[int]) -> None:
    """Ten may wait; in some rounds more happen before the client takes them."""
    outbox, truth = Outbox(lane_items=10), Truth()
    flowing = asyncio.Event()

    async def flows() -> None:
        await flowing.wait()

    subscription = Subscription(
        feed=truth,
        lane=outbox.lane(1, Policy.SERIES),
        asked=Subscribe(channel="runs/a/steps"),
        flowing=flows,
        too_slow=lambda: pytest.fail("a series is never too slow"),
    )
    held: list[int] = []
    promised = dropped = 0

    def take() -> None:
        nonlocal promised
        for message in taken(outbox):
            if message.HasField("snapshot"):
                held[:] = message.snapshot.series.series[0].steps
            elif message.HasField("conflated"):
                promised += message.conflated.dropped
            elif message.HasField("publication"):
                held.append(message.publication.event.step_measured.step)

    await subscription.begin(reply_to=1)
    following = asyncio.create_task(subscription.follow())
    for count in rounds:
        flowing.clear()
        for _ in range(count):
            truth.happen()
        assert len(subscription.lane.entries) <= 13
        dropped += count > 10
        flowing.set()
        await until(partial(told, truth, snapshots=1 + dropped), what="the new snapshot")
        take()
    following.cancel()
    assert held == truth.steps
    assert (promised > 10) == (dropped > 0)


def test_a_lane_is_bounded_by_bytes_too() -> None:
    outbox = Outbox()
    lane = outbox.lane(1, Policy.SERIES)
    event = Event(log_written=LogWritten(text="x" * 10_000))
    fits = [lane.publish(Item.of(Publication(offset=n, event=event))) for n in range(1, 130)]
    assert fits[:100] == [True] * 100
    assert fits[-1] is False
    lane.give_up()
    assert outbox.size_bytes == 0
    assert lane.publish(step(1000))


def test_answers_survive_when_publications_are_given_up() -> None:
    outbox = Outbox()
    lane = outbox.lane(7, Policy.SERIES)
    lane.say(ServerMessage(reply_to=3))
    lane.publish(step(1))
    assert lane.give_up() == 1
    assert [(m.reply_to, m.channel_id) for m in taken(outbox)] == [(3, 7)]


def test_frames_are_cut_at_256_kib_and_a_big_message_goes_alone() -> None:
    outbox = Outbox()
    lane = outbox.lane(1, Policy.ALL)
    event = Event(log_written=LogWritten(text="x" * 100_000))
    for offset in range(1, 6):
        lane.publish(Item.of(Publication(offset=offset, event=event)))
    big = Event(log_written=LogWritten(text="x" * 300_000))
    lane.publish(Item.of(Publication(offset=6, event=big)))
    frames = outbox.take()
    assert [len(frame) for frame in frames] == [2, 2, 1, 1]
    assert outbox.take() == []


def test_a_dropped_lane_says_nothing_more() -> None:
    outbox = Outbox()
    lane = outbox.lane(1, Policy.ALL)
    lane.publish(step(1))
    outbox.drop(lane)
    assert outbox.take() == []
    assert outbox.size_bytes == 0


def test_the_window_closes_at_one_mib_and_opens_on_acknowledgement() -> None:
    window = Window()
    event = Event(log_written=LogWritten(text="x" * 200_000))
    message = ServerMessage(publication=Publication(event=event))
    frames = []
    while window.open.is_set():
        frames.append(window.numbered([message]))
    assert [frame.frame for frame in frames] == [1, 2, 3, 4, 5, 6]
    assert sum(frame.ByteSize() for frame in frames) > ACK_WINDOW_BYTES
    window.acknowledge(1)
    assert window.open.is_set()
    window.acknowledge(2**63)  # more than was ever sent
    for _ in range(5):
        window.numbered([message])
    assert window.open.is_set()


CLIENT_FRAMES = (
    st.builds(
        ClientFrame,
        id=st.integers(0, 2**32 - 1),
        hello=st.builds(Hello, protocol=st.integers(0, 2**32 - 1), client=st.text(max_size=20)),
    )
    | st.builds(
        ClientFrame,
        id=st.integers(0, 2**32 - 1),
        subscribe=st.builds(
            Subscribe,
            channel=st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20),
            since=st.builds(StreamPosition, epoch=st.just("e"), offset=st.integers(0, 2**64 - 1)),
        ),
    )
    | st.builds(ClientFrame, ack=st.builds(Ack, frame=st.integers(0, 2**64 - 1)))
)


@given(frame=CLIENT_FRAMES)
def test_a_client_frame_survives_both_encodings(frame: ClientFrame) -> None:
    assert CODECS["lab.v1"].decode({"bytes": frame.SerializeToString()}) == frame
    if "\0" not in frame.hello.client:
        text = json_format.MessageToJson(frame)
        assert CODECS["lab.v1+json"].decode({"text": text}) == frame


@given(data=st.binary(max_size=100), text=st.text(max_size=100))
def test_any_bytes_are_a_frame_or_a_bad_frame(data: bytes, text: str) -> None:
    for codec, received in (
        (CODECS["lab.v1"], {"bytes": data}),
        (CODECS["lab.v1+json"], {"text": text}),
    ):
        try:
            frame = codec.decode(received)
        except BadFrame:
            continue
        assert frame.WhichOneof("message")


@pytest.mark.parametrize("subprotocol", ["lab.v1", "lab.v1+json"])
def test_the_other_kind_of_message_is_a_bad_frame(subprotocol: str) -> None:
    received = {"text": "{}"} if subprotocol == "lab.v1" else {"bytes": b""}
    with pytest.raises(BadFrame):
        CODECS[subprotocol].decode(received)


def test_a_server_frame_is_readable_json() -> None:
    frame = ServerFrame(frame=1, messages=[ServerMessage(welcome=Welcome(session="s-1"))])
    sent = CODECS["lab.v1+json"].encode(frame)
    assert sent["text"] == '{"frame": "1", "messages": [{"welcome": {"session": "s-1"}}]}'
