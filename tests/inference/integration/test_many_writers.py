"""Twenty of the largest texts at once, of readers fast, slow and gone: the process stays small."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil
import pytest

from lab.model import GPTConfig
from lab.rpc.client import channel
from lab.rpc.health import is_ready
from lab.v1 import inference_service_pb2_grpc
from lab.v1.inference_service_pb2 import (
    FINISH_REASON_END_OF_TEXT,
    GenerateRequest,
    LoadModelRequest,
    TokenizeRequest,
)
from tests.support.checkpoint_service import PEEK, checkpoint_stub, parts, service_process, write
from tests.support.inference_service import add_vocabulary, model_files, tiny_model
from tests.support.waiting import until

LARGE = GPTConfig(layers=4, width=64, heads=4, context=1024)
ONE_TEXT_BYTES = 2 * LARGE.layers * LARGE.width * LARGE.context * 4  # keys and values: 2 MB


@pytest.mark.integration
async def test_twenty_of_the_largest_texts_leave_memory_and_others_alone(
    tmp_path: Path, vocabulary: Path
) -> None:
    add_vocabulary(tmp_path, vocabulary)
    with (
        service_process("checkpoint", tmp_path) as (_, store),
        service_process("inference", tmp_path, "--checkpoint-address", store) as (process, address),
    ):
        await until(lambda: is_ready(address), secs=60)
        async with checkpoint_stub(store) as checkpoints:
            await write(
                checkpoints, parts(model_files(tiny_model(LARGE), tmp_path / "w"), name=PEEK)
            )
        async with channel(address, peer="inference", caller="client") as open_channel:
            stub = inference_service_pb2_grpc.InferenceServiceStub(open_channel)
            model = (await stub.LoadModel(LoadModelRequest(source=PEEK))).model.name

            async def write_one(number: int, *, tokens: int = 512) -> bool:
                """Whether it got all it asked for; the end of a text may be drawn before."""
                request = GenerateRequest(
                    model=model,
                    token_ids=[number] * 513,
                    max_tokens=tokens,
                    temperature=1,
                    alternatives=20,
                    stop=["never\N{SNOWMAN}" * 25] * 8,
                    repetition_penalty=1.1 if number % 5 == 0 else 1.0,  # these score every token
                )
                call = stub.Generate(request, timeout=110)
                if number % 7 == 0:  # goes away after the first token
                    await anext(aiter(call))
                    call.cancel()
                    return True
                answers = [answer async for answer in call]
                if answers[-1].finish_reason == FINISH_REASON_END_OF_TEXT:
                    return len(answers) <= tokens
                return len(answers) == tokens + 1  # the last one tells only why it ended

            service = psutil.Process(process.pid)
            await asyncio.gather(*(write_one(number, tokens=32) for number in range(50, 66)))
            before = most = service.memory_info().rss
            asked = [asyncio.create_task(write_one(number)) for number in range(1, 21)]
            others = 0
            while not all(each.done() for each in asked):
                answer = await stub.Tokenize(TokenizeRequest(text="Hello"))
                others += len(answer.tokens) == 1
                most = max(most, service.memory_info().rss)
                await asyncio.sleep(0.01)
            assert all(each.result() for each in asked)
            assert others > 5  # they were served meanwhile
            assert most - before < 20 * ONE_TEXT_BYTES + (64 << 20)
            assert await write_one(22, tokens=3)
