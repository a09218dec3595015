"""The live socket against a real NATS: snapshots, publications, recovery, whatever is restarted."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lab.bus import Bus
from lab.errors import Unavailable
from lab.v1 import event_pb2
from lab.v1.event_pb2 import (
    CheckpointChanged,
    CheckpointCommitted,
    EvaluationCompleted,
    Event,
    LogWritten,
    RunDeleted,
    RunStateChanged,
    ServiceBeat,
    StepMeasured,
    TextSampled,
)
from lab.v1.live_pb2 import Ack, ClientFrame, CloseCode, StreamPosition
from lab.v1.run_pb2 import Run
from services.gateway.live import feeds
from tests.support.fake_inference import MODEL
from tests.support.gateway import Fakes, Gateway, emit, gateway
from tests.support.live_client import ChannelLog, LiveClient, Refused
from tests.support.nats import NatsServer
from tests.support.waiting import until

pytestmark = pytest.mark.integration

RUN = "runs/a"
STEPS = "runs/a/steps"


@pytest.fixture
def run(fakes: Fakes) -> Run:
    return fakes.trainer.add_run("a")


def step(number: int) -> Event:
    return Event(run=RUN, step_measured=StepMeasured(step=number, loss=1 / number))


async def make_steps(bus: Bus, fakes: Fakes, first: int, last: int) -> None:
    for number in range(first, last + 1):
        await emit(bus, fakes.trainer, step(number))


def steps_held(log: ChannelLog) -> list[int]:
    """What a chart would show: the newest snapshot, then the publications after it."""
    held: list[int] = []
    for message in log.messages:
        if message.HasField("snapshot"):
            held = list(message.snapshot.series.series[0].steps)
        elif message.HasField("publication"):
            held.append(message.publication.event.step_measured.step)
    return held


async def test_a_snapshot_comes_first_then_what_happens(
    live_gateway: Gateway, fakes: Fakes, bus: Bus, run: Run
) -> None:
    await make_steps(bus, fakes, 1, 3)
    async with live_gateway.live() as client:
        subscribed = await client.subscribe(STEPS)
        assert not subscribed.recovered
        assert subscribed.position.offset == 3
        await make_steps(bus, fakes, 4, 6)
        log = await client.published(STEPS, 3)
        assert [message.WhichOneof("message") for message in log.messages][:2] == [
            "subscribed",
            "snapshot",
        ]
        assert log.snapshots[0].position == subscribed.position
        assert log.sequences == [4, 5, 6]
        assert [each.offset for each in log.publications] == [4, 5, 6]
        assert steps_held(log) == [1, 2, 3, 4, 5, 6]


async def test_every_channel_has_its_snapshot_and_its_facts(
    live_gateway: Gateway, fakes: Fakes, bus: Bus, run: Run
) -> None:
    fakes.checkpoints.add("a", 10)
    facts: dict[str, list[Event]] = {
        "runs": [Event(run=RUN, run_state_changed=RunStateChanged(run=run))],
        RUN: [
            Event(run=RUN, run_state_changed=RunStateChanged(run=run)),
            Event(run=RUN, evaluation_completed=EvaluationCompleted(step=1, loss=2)),
            Event(run=RUN, checkpoint_committed=CheckpointCommitted(step=1)),
        ],
        "runs/a/samples": [Event(run=RUN, text_sampled=TextSampled(step=1, text="x"))],
        "runs/a/logs": [Event(run=RUN, log_written=LogWritten(text="x"))],
        "checkpoints": [Event(run=RUN, checkpoint_committed=CheckpointCommitted(step=2))],
    }
    for channel, events in facts.items():
        async with live_gateway.live() as client:
            await client.subscribe(channel)
            for event in events:
                await emit(bus, fakes.trainer, event)
            log = await client.published(channel, len(events))
            assert [each.event for each in log.publications] == events
            state = log.snapshots[0].WhichOneof("state")
            assert state == {"runs": "runs", RUN: "run", "checkpoints": "checkpoints"}.get(
                channel, "events"
            )
    async with live_gateway.live() as client:
        await client.subscribe(RUN)
        await client.subscribe("runs/a/samples")
        log = client.channels[RUN]
        await until(lambda: log.snapshots)
        assert log.snapshots[0].run.run.name == RUN
        assert len(log.snapshots[0].run.events) == 3
        assert len(client.channels["runs/a/samples"].snapshots[0].events.events) == 1


async def test_a_snapshot_and_its_publications_do_not_overlap(
    live_gateway: Gateway, fakes: Fakes, bus: Bus, run: Run
) -> None:
    """Steps that happen between the position and the snapshot are in the snapshot only."""
    await make_steps(bus, fakes, 1, 2)
    async with live_gateway.live() as client:
        with fakes.trainer.hold("QuerySeries"):
            asking = asyncio.create_task(client.subscribe(STEPS))
            await until(lambda: fakes.trainer.called("QuerySeries"))
            await make_steps(bus, fakes, 3, 5)
        assert (await asking).position.offset == 2
        await make_steps(bus, fakes, 6, 6)
        log = await client.published(STEPS, 1)
        assert list(log.snapshots[0].series.series[0].steps) == [1, 2, 3, 4, 5]
        assert log.sequences == [6]


async def test_a_client_that_comes_back_gets_exactly_what_it_missed(
    live_gateway: Gateway, fakes: Fakes, bus: Bus, run: Run
) -> None:
    await make_steps(bus, fakes, 1, 2)
    async with live_gateway.live() as client:
        await client.subscribe(STEPS)
        await make_steps(bus, fakes, 3, 4)
        position = (await client.published(STEPS, 2)).position
    await make_steps(bus, fakes, 5, 9)
    asked = len(fakes.trainer.called("QuerySeries"))
    async with live_gateway.live() as client:
        assert (await client.subscribe(STEPS, since=position)).recovered
        log = await client.published(STEPS, 5)
        assert log.sequences == [5, 6, 7, 8, 9]
        assert log.snapshots == []
        await make_steps(bus, fakes, 10, 10)
        assert (await client.published(STEPS, 6)).sequences[-1] == 10
    assert len(fakes.trainer.called("QuerySeries")) == asked


async def test_a_late_and_an_early_reader_share_one_tail(
    live_gateway: Gateway, fakes: Fakes, bus: Bus, run: Run
) -> None:
    await make_steps(bus, fakes, 1, 5)
    async with live_gateway.live() as early, live_gateway.live() as late:
        await early.subscribe(STEPS)
        await make_steps(bus, fakes, 6, 7)
        position = (await early.published(STEPS, 2)).position
        since = StreamPosition(epoch=position.epoch, offset=2)
        assert (await late.subscribe(STEPS, since=since)).recovered
        await late.published(STEPS, 5)
        await make_steps(bus, fakes, 8, 8)
        assert (await late.published(STEPS, 6)).sequences == [3, 4, 5, 6, 7, 8]
        assert (await early.published(STEPS, 3)).sequences == [6, 7, 8]
        tails = [task for task in asyncio.all_tasks() if task.get_name() == f"tail of {STEPS}"]
        assert len(tails) == 1


@pytest.mark.parametrize("why", ["other epoch", "ahead of the head", "too much missed"])
async def test_what_cannot_be_recovered_whole_is_a_snapshot(
    live_gateway: Gateway, fakes: Fakes, bus: Bus, run: Run, why: str
) -> None:
    await make_steps(bus, fakes, 1, 3)
    position = await bus.position("STEPS")
    since = {
        "other epoch": StreamPosition(epoch="1", offset=2),
        "ahead of the head": StreamPosition(epoch=position.epoch, offset=4),
        "too much missed": StreamPosition(epoch=position.epoch, offset=0),
    }[why]
    if why == "too much missed":
        connection = await bus.connection()
        for number in range(4, feeds.MAX_RECOVERED + 2):
            await connection.jetstream.publish_async(
                "lab.v1.step.b", Event(run="runs/b", sequence=number).SerializeToString()
            )
        await connection.jetstream.publish_async_completed()
        assert (await bus.position("STEPS")).last_sequence > feeds.MAX_RECOVERED
    async with live_gateway.live() as client:
        assert not (await client.subscribe(STEPS, since=since)).recovered
        log = client.channels[STEPS]
        await until(lambda: log.snapshots)
        assert steps_held(log) == [1, 2, 3]


async def test_nats_killed_and_restarted_loses_and_doubles_nothing(
    live_gateway: Gateway, fakes: Fakes, nats: NatsServer, bus: Bus, run: Run
) -> None:
    async with live_gateway.live() as client:
        await client.subscribe("system")
        await client.subscribe(STEPS)
        await make_steps(bus, fakes, 1, 20)
        await client.published(STEPS, 20)
        await nats.kill()
        await until(lambda: not live_gateway.service.readiness.ready)

        def gateway_waits() -> bool:
            beats = [each.event.service_beat for each in client.channels["system"].publications]
            return any(
                beat.service == "gateway" and any("nats" in each for each in beat.waiting_for)
                for beat in beats
            )

        await until(gateway_waits, what="system says that NATS is away")
        async with live_gateway.http() as http:
            assert (await http.get("/api/runs")).status_code == 200
        await nats.start()
        await bus.connection()
        await until(lambda: bus.connected)
        await make_steps(bus, fakes, 21, 40)
        log = await client.published(STEPS, 40)
        assert log.sequences == list(range(1, 41))
        assert len(log.snapshots) == 1, "the tail resumed, nothing had to be told again"


async def test_a_page_opened_while_nats_is_away_shows_the_state_and_catches_up(
    live_gateway: Gateway, fakes: Fakes, nats: NatsServer, bus: Bus, run: Run
) -> None:
    await make_steps(bus, fakes, 1, 3)
    await nats.kill()
    await until(lambda: not live_gateway.service.readiness.ready)
    async with live_gateway.live() as client:
        assert not (await client.subscribe(STEPS)).position.epoch
        log = client.channels[STEPS]
        await until(lambda: log.snapshots)
        assert steps_held(log) == [1, 2, 3]
        await nats.start()
        await until(lambda: len(log.snapshots) == 2, what="a snapshot with a position")
        await until(lambda: bus.connected)
        await make_steps(bus, fakes, 4, 5)
        await client.published(STEPS, 2)
        assert steps_held(log) == [1, 2, 3, 4, 5]


async def test_a_stream_that_begins_anew_gives_everybody_a_snapshot(
    live_gateway: Gateway, fakes: Fakes, bus: Bus, run: Run
) -> None:
    await make_steps(bus, fakes, 1, 3)
    async with live_gateway.live() as client:
        first = await client.subscribe(STEPS)
        connection = await bus.connection()
        config = (await connection.jetstream.stream_info("STEPS")).config
        await connection.jetstream.delete_stream("STEPS")
        await connection.jetstream.add_stream(config)
        log = client.channels[STEPS]
        await until(lambda: len(log.snapshots) == 2, secs=20)
        assert log.snapshots[1].position.epoch != first.position.epoch
        await make_steps(bus, fakes, 4, 4)
        await client.published(STEPS, 1)
        assert steps_held(log) == [1, 2, 3, 4]


async def test_a_restarted_gateway_serves_the_same_client_by_its_position(
    fakes: Fakes, nats: NatsServer, bus: Bus, run: Run, tmp_path: Path
) -> None:
    async with gateway(fakes, tmp_path, nats_url=nats.url) as before:
        await until(lambda: before.service.readiness.ready)
        client = before.live()
        await client.open()
        await client.subscribe(STEPS)
        await make_steps(bus, fakes, 1, 3)
        position = (await client.published(STEPS, 3)).position
    assert await client.closed() == CloseCode.CLOSE_CODE_SHUTDOWN
    await client.close()
    await make_steps(bus, fakes, 4, 6)
    async with gateway(fakes, tmp_path, nats_url=nats.url) as after, after.live() as again:
        assert (await again.subscribe(STEPS, since=position)).recovered
        assert (await again.published(STEPS, 3)).sequences == [4, 5, 6]


async def test_an_unknown_channel_or_run_is_refused_and_the_session_lives(
    live_gateway: Gateway, fakes: Fakes, run: Run
) -> None:
    async with live_gateway.live() as client:
        for channel in ("nonsense", "runs/none", "runs/none/steps", "runs/A", "generations/g1", ""):
            with pytest.raises(Refused) as refused:
                await client.subscribe(channel)
            assert refused.value.problem.status == 404, channel
        await client.subscribe("runs")
        assert client.channels["runs"].snapshots or await until(
            lambda: client.channels["runs"].snapshots
        )
    assert live_gateway.service.tasks.failed.done() is False


async def test_an_owner_that_is_away_is_told_and_can_be_asked_again(
    live_gateway: Gateway, fakes: Fakes, run: Run
) -> None:
    fakes.trainer.fail_next("QuerySeries", Unavailable("restarting"))
    # The client of lab.rpc asks again by itself, so it has to be away for longer.
    for _ in range(3):
        fakes.trainer.fail_next("QuerySeries", Unavailable("restarting"))
    async with live_gateway.live() as client:
        with pytest.raises(Refused) as refused:
            await client.subscribe(STEPS)
        assert refused.value.problem.reason == "UNAVAILABLE"

        async def subscribed() -> bool:
            try:
                await client.subscribe(STEPS)
            except Refused:
                return False
            return True

        await until(subscribed)


async def test_a_deleted_checkpoint_leaves_the_list_of_everybody(
    live_gateway: Gateway, fakes: Fakes, bus: Bus
) -> None:
    fakes.checkpoints.add("a", 10)
    fakes.checkpoints.add("a", 20)
    async with live_gateway.live() as client, live_gateway.http() as http:
        await client.subscribe("checkpoints")
        log = client.channels["checkpoints"]
        await until(lambda: log.snapshots)
        assert len(log.snapshots[0].checkpoints.checkpoints) == 2
        name = "runs/a/checkpoints/step-00000010"
        assert (await http.delete(f"/api/{name}")).status_code == 200
        await bus.say(Event(checkpoint_changed=CheckpointChanged(checkpoint=name)))
        await until(
            lambda: [each.step for each in log.snapshots[-1].checkpoints.checkpoints] == [20]
        )


async def test_a_deleted_run_is_told(
    live_gateway: Gateway, fakes: Fakes, bus: Bus, run: Run
) -> None:
    async with live_gateway.live() as client:
        await client.subscribe("runs")
        await emit(bus, fakes.trainer, Event(run=RUN, run_deleted=RunDeleted()))
        log = await client.published("runs", 1)
        assert log.publications[0].event.HasField("run_deleted")


async def test_unsubscribing_ends_the_publications_and_the_tail(
    live_gateway: Gateway, fakes: Fakes, bus: Bus, run: Run
) -> None:
    async with live_gateway.live() as client:
        await client.subscribe(STEPS)
        await client.subscribe("runs")
        await client.unsubscribe(STEPS)
        await make_steps(bus, fakes, 1, 3)
        await emit(bus, fakes.trainer, Event(run=RUN, run_state_changed=RunStateChanged(run=run)))
        await client.published("runs", 1)
        assert client.channels[STEPS].publications == []
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert f"tail of {STEPS}" not in names
        assert "tail of runs" in names
    await until(
        lambda: not any(task.get_name() == "tail of runs" for task in asyncio.all_tasks()),
        what="a closed socket gives its tails back",
    )


async def test_system_tells_who_is_alive_and_who_was_lost(live_gateway: Gateway, bus: Bus) -> None:
    beat = ServiceBeat(service="trainer", state=event_pb2.SERVICE_STATE_READY, version="0.1.0")
    await until(lambda: live_gateway.service.readiness.ready)
    async with live_gateway.live() as client:
        await client.subscribe("system")
        log = client.channels["system"]

        async def heard() -> bool:
            await bus.say(Event(producer="trainer", service_beat=beat))
            return any(each.event.service_beat.service == "trainer" for each in log.publications)

        await until(heard)
        seen = {
            each.event.service_beat.service: each.event.service_beat.state
            for each in log.publications
        }
        assert seen["trainer"] == event_pb2.SERVICE_STATE_READY
        assert log.snapshots[0].events.events[0].service_beat.service == "gateway"
        async with live_gateway.http() as http:
            status = (await http.get("/api/system")).json()
        assert {each["service"] for each in status["services"]} == {"gateway", "trainer"}
        assert status["liveSessions"] == 1
        await until(
            lambda: (
                log.publications[-1].event.service_beat.state == event_pb2.SERVICE_STATE_LOST
                or any(
                    each.event.service_beat.state == event_pb2.SERVICE_STATE_LOST
                    for each in log.publications
                )
            ),
            secs=15,
            what="eight seconds without a beat",
        )


# Generations


async def test_a_generation_is_told_token_by_token_and_found_again(
    live_gateway: Gateway, fakes: Fakes
) -> None:
    asked = {"model": MODEL, "prompt": "a"}
    async with live_gateway.live() as client, live_gateway.http() as http:
        with fakes.inference.hold("token"):
            created = (await http.post("/api/generations", json=asked)).json()["generation"]
            await client.subscribe(created["name"])
        log = await client.published(created["name"], 4)
        assert "".join(each.token.text for each in log.publications) == "the cat sat"
        assert log.publications[-1].token.finish_reason
        position = StreamPosition(epoch=log.position.epoch, offset=2)
    async with live_gateway.live() as late:
        await late.subscribe(created["name"])
        found = late.channels[created["name"]]
        await until(lambda: found.snapshots)
        assert [each.text for each in found.snapshots[0].generation.tokens][:3] == [
            "the",
            " cat",
            " sat",
        ]
        assert found.snapshots[0].generation.finish_reason
    async with live_gateway.live() as back:
        assert (await back.subscribe(created["name"], since=position)).recovered
        rest = await back.published(created["name"], 2)
        assert rest.publications[0].token.text == " sat"


async def test_a_generation_that_fails_later_says_so_on_its_channel(
    live_gateway: Gateway, fakes: Fakes
) -> None:
    asked = {"model": MODEL, "prompt": "a"}
    async with live_gateway.live() as client, live_gateway.http() as http:
        with fakes.inference.hold("token"):
            created = (await http.post("/api/generations", json=asked)).json()["generation"]
            await client.subscribe(created["name"])
            fakes.inference.fail_next("token", Unavailable("out of memory"))
        log = await client.published(created["name"], 1)
        assert log.publications[-1].problem.detail == "out of memory"


# Slow clients


async def test_a_stalled_client_is_bounded_and_the_others_get_everything(
    live_gateway: Gateway, fakes: Fakes, bus: Bus, run: Run
) -> None:
    text = "x" * 20_000
    async with live_gateway.live() as healthy, live_gateway.live(acknowledge=False) as stalled:
        for client in (healthy, stalled):
            await client.subscribe("runs/a/logs")
        count = 300  # 6 MB: the window and the lane are 1 MiB each
        for _ in range(count):
            await emit(bus, fakes.trainer, Event(run=RUN, log_written=LogWritten(text=text)))
        log = await healthy.published("runs/a/logs", count, secs=30)
        assert log.sequences == list(range(1, count + 1))
        behind = stalled.channels["runs/a/logs"]
        received = sum(frame.ByteSize() for frame in stalled.frames)
        assert 1 << 20 < received < 2 << 20
        # It wakes up, and is told the truth.
        stalled.acknowledge = True
        await stalled.send(_ack(stalled))
        await until(lambda: len(behind.snapshots) == 2, what="a fresh snapshot")
        assert behind.dropped > 0
        held = [each.sequence for each in behind.snapshots[-1].events.events]
        assert held == list(range(1, count + 1))


async def test_a_client_too_slow_for_what_may_not_be_dropped_is_sent_away_and_recovers(
    live_gateway: Gateway, fakes: Fakes, bus: Bus, run: Run
) -> None:
    text = "x" * 20_000
    async with live_gateway.live() as healthy:
        await healthy.subscribe("runs/a/samples")
        stalled = live_gateway.live(acknowledge=False)
        await stalled.open()
        await stalled.subscribe("runs/a/samples")
        for number in range(1, 151):
            sample = TextSampled(step=number, text=text)
            await emit(bus, fakes.trainer, Event(run=RUN, text_sampled=sample))
        assert await stalled.closed() == CloseCode.CLOSE_CODE_SLOW
        position = stalled.channels["runs/a/samples"].position
        told = stalled.channels["runs/a/samples"].sequences
        await stalled.close()
        log = await healthy.published("runs/a/samples", 150, secs=30)
        assert log.sequences == list(range(1, 151))
    async with live_gateway.live() as again:
        await again.subscribe("runs/a/samples", since=position)
        log = again.channels["runs/a/samples"]

        def everything() -> bool:
            if log.snapshots:  # more than a lane holds: the state is cheaper
                return len(log.snapshots[-1].events.events) == 150
            return told + log.sequences == list(range(1, 151))

        await until(everything)


def _ack(client: LiveClient) -> ClientFrame:
    return ClientFrame(ack=Ack(frame=max(frame.frame for frame in client.frames)))
