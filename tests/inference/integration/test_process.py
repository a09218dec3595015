"""Both services as processes, beside a real nats-server: they beat, answer, and end when told."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import psutil
import pytest

from lab.bus import Bus
from lab.errors import Code, LabError
from lab.model import GPTConfig
from lab.rpc.client import channel
from lab.rpc.health import is_ready
from lab.v1 import analysis_service_pb2_grpc, event_pb2, inference_service_pb2_grpc
from lab.v1.analysis_service_pb2 import AnalyseRequest, AnalyseResponse, AttentionQuestion
from lab.v1.event_pb2 import Event
from lab.v1.inference_service_pb2 import GenerateRequest, LoadModelRequest
from services.inference.analysis.quotas import MAX_ANSWER_BYTES
from tests.support.checkpoint_service import (
    PEEK,
    checkpoint_stub,
    parts,
    service_process,
    write,
)
from tests.support.inference_service import add_vocabulary, model_files, tiny_model
from tests.support.nats import NatsServer
from tests.support.waiting import until

AT_ONCE = 20
MOST_TOKENS = 511  # of 48 maps with one byte a weight: what an answer may hold


@pytest.mark.integration
async def test_a_peek_becomes_text_between_two_processes(
    nats: NatsServer, bus: Bus, tmp_path: Path, vocabulary: Path
) -> None:
    add_vocabulary(tmp_path, vocabulary)
    ready: set[str] = set()
    client = (await bus.connection()).client
    beats = await client.subscribe("lab.v1.beat.*")

    async def listen() -> None:
        async for message in beats.messages:
            beat = Event.FromString(message.data).service_beat
            if beat.state == event_pb2.SERVICE_STATE_READY:
                ready.add(beat.service)

    listening = asyncio.create_task(listen())
    with (
        service_process("checkpoint", tmp_path, nats_url=nats.url) as (checkpoint, store),
        service_process(
            "inference", tmp_path, "--checkpoint-address", store, nats_url=nats.url
        ) as (inference, address),
    ):
        await until(lambda: is_ready(address), secs=20)
        async with checkpoint_stub(store) as checkpoints:
            files = model_files(tiny_model(), tmp_path / "written")
            await write(checkpoints, parts(files, name=PEEK))
        async with channel(address, peer="inference", caller="client") as open_channel:
            stub = inference_service_pb2_grpc.InferenceServiceStub(open_channel)
            loaded = await stub.LoadModel(LoadModelRequest(source=PEEK))
            request = GenerateRequest(model=loaded.model.name, prompt="Hello", max_tokens=8)
            assert len([answer async for answer in stub.Generate(request)]) == 9
        await until(lambda: ready == {"checkpoint", "inference"})
        for process in (inference, checkpoint):
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 10) == 0
    listening.cancel()


@pytest.mark.integration
async def test_a_burst_of_the_largest_questions_is_answered_in_turns_or_refused_with_what_fits(
    tmp_path: Path, vocabulary: Path
) -> None:
    """Each needs 50 MB for its maps and more to work on them: at once they would need 2 GB. That
    they were there at once is told by the service: who is refused hears how many are before it."""
    add_vocabulary(tmp_path, vocabulary)
    large = GPTConfig(layers=6, width=32, heads=8, context=512)
    flags = ("--max-analyses", str(AT_ONCE))
    with (
        service_process("checkpoint", tmp_path) as (_, store),
        service_process("inference", tmp_path, "--checkpoint-address", store, *flags) as (
            process,
            address,
        ),
    ):
        await until(lambda: is_ready(address), secs=60)
        async with checkpoint_stub(store) as checkpoints:
            files = model_files(tiny_model(large), tmp_path / "written")
            await write(checkpoints, parts(files, name=PEEK))
        async with channel(address, peer="inference", caller="client") as open_channel:
            inference = inference_service_pb2_grpc.InferenceServiceStub(open_channel)
            analysis = analysis_service_pb2_grpc.AnalysisServiceStub(open_channel)
            model = (await inference.LoadModel(LoadModelRequest(source=PEEK))).model.name
            ended: list[str] = []

            async def ask(name: str, *, first: int, tokens: int) -> AnalyseResponse | LabError:
                request = AnalyseRequest(
                    model=model, token_ids=[first] * tokens, attention=AttentionQuestion()
                )
                try:
                    return await analysis.Analyse(request, timeout=300)
                except LabError as error:
                    return error
                finally:
                    ended.append(name)

            def largest(numbers: range) -> list[asyncio.Task[AnalyseResponse | LabError]]:
                return [
                    asyncio.create_task(ask(f"large {n}", first=n, tokens=MOST_TOKENS))
                    for n in numbers
                ]

            await asyncio.gather(*largest(range(1)))
            service = psutil.Process(process.pid)
            before = most = service.memory_info().rss
            asked = largest(range(1, 11))
            small = asyncio.create_task(ask("small", first=1, tokens=8))
            asked += largest(range(11, AT_ONCE + 5))
            beyond = [
                asyncio.create_task(ask("beyond", first=n, tokens=MOST_TOKENS + 1))
                for n in range(2)
            ]
            written = 0
            while not all(each.done() for each in asked):
                most = max(most, service.memory_info().rss)
                request = GenerateRequest(model=model, prompt="Hello", max_tokens=4)
                answers = [answer async for answer in inference.Generate(request)]
                written += not all(each.done() for each in asked) and len(answers) == 5
            results = [each.result() for each in asked]
            refused = [each for each in results if isinstance(each, LabError)]
            answered = [each for each in results if not isinstance(each, LabError)]
            assert refused, "they were not there at once"
            for each in refused:
                assert each.code is Code.RESOURCE_EXHAUSTED
                assert each.metadata["limit"] == str(AT_ONCE)
            assert (
                len({each.SerializeToString() for each in answered}) == len(answered) >= AT_ONCE - 1
            )
            assert all(each.ByteSize() > 0.99 * MAX_ANSWER_BYTES for each in answered)
            for task in beyond:
                refusal = task.result()
                assert isinstance(refusal, LabError)
                assert refusal.metadata["largest_tokens"] == str(MOST_TOKENS)
            assert not isinstance(small.result(), LabError)
            assert ended.index("small") < max(
                place for place, name in enumerate(ended) if name.startswith("large")
            )
            assert written > 0  # others were served meanwhile
            assert most - before < 600 << 20
            again = await ask("small again", first=2, tokens=8)
            assert not isinstance(again, LabError)
