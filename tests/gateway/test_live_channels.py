"""What each channel of the live socket tells, against a real NATS."""

from __future__ import annotations

import asyncio

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
    TextSampled,
)
from lab.v1.live_pb2 import StreamPosition
from lab.v1.run_pb2 import Run
from tests.support.fake_inference import MODEL
from tests.support.gateway import Fakes, Gateway, emit, make_steps
from tests.support.live_client import Refused, steps_held
from tests.support.waiting import until

pytestmark = pytest.mark.integration

RUN = "runs/a"
STEPS = "runs/a/steps"


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
