"""From a question to its bytes, over real gRPC: nano, 256 tokens.

`make bench t=tests/benchmarks/test_look_inside.py`. Every question is asked with another text each
time, so that none is answered from what was kept; `again` is the one that is.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import pytest

from lab.model import GPT_CONFIGS
from lab.rpc.client import channel
from lab.text import Assets
from lab.v1 import analysis_service_pb2 as messages
from lab.v1 import analysis_service_pb2_grpc, inference_service_pb2_grpc
from lab.v1.inference_service_pb2 import LoadModelRequest
from tests.support.checkpoint_service import NAME, checkpoint_service, checkpoint_stub, parts, write
from tests.support.inference_service import (
    add_vocabulary,
    inference_service,
    model_files,
    tiny_model,
)

ROUNDS, TOKENS = 9, 256
QUESTIONS: dict[str, dict[str, Any]] = {
    "attention, all heads": {"attention": messages.AttentionQuestion()},
    "attention, thumbnails": {"attention": messages.AttentionQuestion(thumbnail=48)},
    "attention, one head": {"attention": messages.AttentionQuestion(layers=[3], heads=[1])},
    "tokens": {"tokens": messages.TokenQuestion()},
    "lens": {"lens": messages.LensQuestion()},
    "activations": {"activations": messages.ActivationQuestion()},
    "heads": {"heads": messages.HeadQuestion()},
    "attribution": {"attribution": messages.AttributionQuestion()},
    "maxima": {"maxima": messages.MaximaQuestion()},
    "embedding": {"embedding": messages.EmbeddingQuestion()},
    "weights": {"weights": messages.WeightQuestion()},
}


@pytest.mark.bench
async def test_request_to_bytes(tmp_path: Path) -> None:
    add_vocabulary(tmp_path, Assets.at_home().fetch("gpt2-encoder"))
    async with (
        checkpoint_service(tmp_path) as store,
        checkpoint_stub(store) as checkpoints,
        inference_service(tmp_path, store) as address,
        channel(address, peer="inference", caller="client") as open_channel,
    ):
        files = model_files(tiny_model(GPT_CONFIGS["nano"]), tmp_path / "written")
        await write(checkpoints, parts(files))
        inference = inference_service_pb2_grpc.InferenceServiceStub(open_channel)
        analysis = analysis_service_pb2_grpc.AnalysisServiceStub(open_channel)
        began = time.perf_counter()
        model = (await inference.LoadModel(LoadModelRequest(source=NAME))).model
        print(f"\nload nano: {1e3 * (time.perf_counter() - began):.0f} ms")
        for name, question in QUESTIONS.items():
            fresh: list[float] = []
            again: list[float] = []
            for number in range(ROUNDS):
                ids = [number + 1, *((11 * n) % 50_000 for n in range(TOKENS - 1))]
                request = messages.AnalyseRequest(model=model.name, token_ids=ids, **question)
                for times in (fresh, again):
                    began = time.perf_counter()
                    answer = await analysis.Analyse(request, timeout=60)
                    times.append(time.perf_counter() - began)
                assert answer.cached
            print(
                f"{name}: {1e3 * statistics.median(fresh):.0f} ms "
                f"({1e3 * min(fresh):.0f} to {1e3 * max(fresh):.0f}), again "
                f"{1e3 * statistics.median(again):.1f} ms, {answer.ByteSize() / 1e3:.0f} kB"
            )
