"""A session's manners: frames that are none, floods, silence, stalls, subprotocols, the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from websockets import ConnectionClosed
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from lab.bus import Bus
from lab.service.readiness import Readiness
from lab.service.tasks import Tasks
from lab.v1.inference_service_pb2 import GenerateRequest, GenerateResponse
from lab.v1.live_pb2 import Ack, ClientFrame, CloseCode, Hello, Subscribe
from services.gateway.generations import Generations
from services.gateway.live.endpoint import Live
from services.gateway.live.following import MAX_SUBSCRIPTIONS
from services.gateway.live.hub import Hub
from services.gateway.live.session import Times
from services.gateway.server import HttpServer
from services.gateway.upstream import Upstream
from tests.support.gateway import NO_NATS
from tests.support.live_client import Gone, LiveClient
from tests.support.waiting import until

NOWHERE = "127.0.0.1:1"


@asynccontextmanager
async def socket(times: Times | None = None) -> AsyncIterator[tuple[str, Generations]]:
    """The live endpoint alone, with nothing behind it."""
    async with AsyncExitStack() as stack:
        tasks = Tasks()
        stack.push_async_callback(tasks.stop)
        bus = await stack.enter_async_context(Bus(NO_NATS, name="test"))
        upstream = Upstream.connect(trainer=NOWHERE, checkpoint=NOWHERE, inference=NOWHERE)
        stack.push_async_callback(upstream.close)
        generations = Generations(upstream)
        hub = Hub(
            bus=bus,
            upstream=upstream,
            generations=generations,
            readiness=Readiness(),
            tasks=tasks,
        )
        live = Live(hub, times=times)
        app = Starlette(routes=[WebSocketRoute("/", live.serve)])
        server = HttpServer(
            lambda _: app, host="127.0.0.1", ports=[0], tasks=tasks, before_stop=live.stop
        )
        await server.start()
        try:
            yield f"ws://127.0.0.1:{server.port}/", generations
            assert not tasks.failed.done()
        finally:
            await server.stop(1)


async def test_hello_is_welcomed() -> None:
    async with socket() as (url, _), LiveClient(url) as client:
        welcome = client.general[0].welcome
        assert welcome.protocol == 1
        assert welcome.heartbeat_secs == 10
        assert welcome.session.startswith("s-")
        assert welcome.server_time.seconds > 0


async def test_another_protocol_is_sent_away_for_good() -> None:
    async with socket() as (url, _):
        client = LiveClient(url, hello=False)
        await client.open()
        await client.send(ClientFrame(id=1, hello=Hello(protocol=2)))
        assert await client.closed() == CloseCode.CLOSE_CODE_PROTOCOL_MISMATCH
        await client.close()
        for subprotocols in ((), ("graphql-ws",)):
            client = LiveClient(url, hello=False, subprotocols=subprotocols)
            try:
                await client.open()
                assert await client.closed() == CloseCode.CLOSE_CODE_PROTOCOL_MISMATCH
            finally:
                await client.close()


async def test_three_bad_frames_are_enough() -> None:
    async with socket() as (url, _):
        client = LiveClient(url)
        await client.open()
        assert client.connection is not None
        for _ in range(2):
            await client.connection.send(b"\xff\xff")
        await until(lambda: len(client.general) == 3)
        assert [each.problem.reason for each in client.general[1:]] == ["MALFORMED"] * 2
        await client.connection.send("text on a binary socket")
        assert await client.closed() == CloseCode.CLOSE_CODE_BAD_FRAME
        await client.close()


async def test_hello_comes_first() -> None:
    async with socket() as (url, _):
        client = LiveClient(url, hello=False)
        await client.open()
        await client.send(ClientFrame(id=1, subscribe=Subscribe(channel="system")))
        await until(lambda: client.general)
        assert "hello" in client.general[0].problem.detail
        assert client.channels == {}
        await client.close()


async def test_a_flood_ends_the_session() -> None:
    async with socket() as (url, _):
        client = LiveClient(url)
        await client.open()
        for _ in range(300):
            try:
                await client.send(ClientFrame(ack=Ack(frame=1)))
            except ConnectionClosed:
                break
        assert await client.closed() == CloseCode.CLOSE_CODE_TOO_MANY
        await client.close()


async def test_too_many_subscriptions_end_the_session() -> None:
    async with socket() as (url, generations):
        client = LiveClient(url)
        await client.open()
        for number in range(MAX_SUBSCRIPTIONS):
            name = f"generations/g{number}"
            generations.keep(name, GenerateRequest())
            await client.subscribe(name)
            await asyncio.sleep(0.025)  # slower than a flood; not waiting for anything
        generations.keep("generations/more", GenerateRequest())
        await client.send(ClientFrame(id=999, subscribe=Subscribe(channel="generations/more")))
        assert await client.closed() == CloseCode.CLOSE_CODE_TOO_MANY
        await client.close()


@pytest.mark.parametrize(("size", "code"), [(65_536, None), (65_600, 1009)])
async def test_a_client_frame_of_64_kib_is_the_largest(size: int, code: int | None) -> None:
    async with socket() as (url, _):
        client = LiveClient(url)
        await client.open()
        assert client.connection is not None
        channel = "x" * (size - 20)
        data = ClientFrame(id=7, subscribe=Subscribe(channel=channel)).SerializeToString()
        await client.connection.send(data)
        if code is None:
            await until(lambda: any(each.reply_to == 7 for each in client.general))
            assert len(client.frames[-1].SerializeToString()) < 2_000, "nothing is echoed"
        else:
            assert await client.closed() == code
        await client.close()


async def test_a_silent_line_has_heartbeats_that_need_no_answer() -> None:
    async with socket(Times(heartbeat_secs=0.05)) as (url, _), LiveClient(url) as client:
        await until(lambda: len(client.general) >= 4)
        beats = [frame for frame in client.frames if frame.messages[0].HasField("heartbeat")]
        assert len(beats) >= 3
        assert all(frame.frame == 0 for frame in beats)


async def test_a_client_that_acknowledges_nothing_is_sent_away() -> None:
    async with socket(Times(stall_secs=0.3)) as (url, generations):
        text = generations.keep("generations/long", GenerateRequest())
        client = LiveClient(url, acknowledge=False)
        await client.open()
        await client.subscribe("generations/long")
        for number in range(2):
            generations.add(text, GenerateResponse(index=number, text="x" * 600_000))
            await client.published("generations/long", number + 1)
        generations.add(text, GenerateResponse(index=2, text="the window is closed now"))
        assert await client.closed() == CloseCode.CLOSE_CODE_SLOW
        await client.close()


async def test_the_json_subprotocol_says_the_same() -> None:
    offered = [Subprotocol("lab.v1+json")]
    async with socket() as (url, _), connect(url, subprotocols=offered, proxy=None) as raw:
        await raw.send(json.dumps({"id": 1, "hello": {"protocol": 1}}))
        welcome = json.loads(await raw.recv())
        assert welcome["messages"][0]["replyTo"] == 1
        assert welcome["messages"][0]["welcome"]["protocol"] == 1
        await raw.send(json.dumps({"id": 2, "subscribe": {"channel": "system"}}))
        answer = json.loads(await raw.recv())
        assert answer["messages"][0]["subscribed"]["channel"] == "system"
        assert "events" in answer["messages"][1]["snapshot"]


async def test_compression_is_not_taken_up() -> None:
    async with (
        socket() as (url, _),
        connect(
            url, subprotocols=[Subprotocol("lab.v1")], compression="deflate", proxy=None
        ) as raw,
    ):
        assert raw.response is not None
        assert "sec-websocket-extensions" not in raw.response.headers


async def test_a_stop_tells_everybody_to_come_back() -> None:
    async with AsyncExitStack() as stack:
        url, _ = await stack.enter_async_context(socket())
        clients = [LiveClient(url) for _ in range(3)]
        for client in clients:
            await client.open()
        closing = asyncio.create_task(stack.aclose())
        codes = [await client.closed() for client in clients]
        await closing
        assert codes == [CloseCode.CLOSE_CODE_SHUTDOWN] * 3
        for client in clients:
            await client.close()


FRAMES = st.lists(
    st.binary(max_size=40)
    | st.builds(
        lambda channel, id: ClientFrame(
            id=id, subscribe=Subscribe(channel=channel)
        ).SerializeToString(),
        st.sampled_from(["system", "runs", "runs/a/steps", "generations/g", "x", "runs//", "é"]),
        st.integers(1_000, 2**32 - 1),
    )
    | st.builds(
        lambda frame: ClientFrame(ack=Ack(frame=frame)).SerializeToString(),
        st.integers(0, 2**64 - 1),
    ),
    max_size=12,
)


async def test_no_frames_whatever_break_the_gateway() -> None:
    """Sequences of frames, good and bad: a problem or a documented close, never a crash."""
    sequences: list[list[bytes]] = []

    @given(frames=FRAMES)
    @settings(max_examples=40, deadline=None, database=None)
    def collect(frames: list[bytes]) -> None:
        sequences.append(frames)

    collect()
    async with socket() as (url, _):
        for frames in sequences:
            client = LiveClient(url)
            await client.open()
            assert client.connection is not None
            try:
                for data in frames:
                    await client.connection.send(data)
                await client.ask(ClientFrame(subscribe=Subscribe(channel="system")))
            except (ConnectionClosed, Gone):
                assert await client.closed() == CloseCode.CLOSE_CODE_BAD_FRAME
            await client.close()
        async with LiveClient(url) as client:
            await client.subscribe("system")
