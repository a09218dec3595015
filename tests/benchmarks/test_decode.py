"""Writing text: against transformers with its cache in turns, many texts at once, the first token.

`make bench t=tests/benchmarks/test_decode.py`. One process, as many threads for both sides as the
service takes by default; random weights, since speed does not depend on what they say. Each round
takes every contender once, and reading the prompt is left out of both sides.
"""

import asyncio
import os
import statistics
import time
from contextlib import closing
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.generation.streamers import BaseStreamer

from lab.model import GPT_CONFIGS, GPTConfig, GPTModel
from lab.text import Tokenizer
from services.inference.generation.engine import Engine
from services.inference.generation.options import Drawn, Options
from services.inference.generation.prepared import Prepared, prepare

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1_800)]

THREADS = 1
TOKENS, PROMPT_TOKENS = 200, 16
STREAMS, STREAM_TOKENS = 16, 64
PROMPT = [(7 * n) % 50_000 for n in range(PROMPT_TOKENS)]
GREEDY = {"temperature": 0.0}
DRAWN = {"temperature": 0.8, "top_k": 40}  # the lab's own defaults


class _Times(BaseStreamer):
    """When the first token came: transformers sends the prompt first."""

    def __init__(self) -> None:
        self.came: list[float] = []

    def put(self, value: object) -> None:
        self.came.append(time.perf_counter())

    def end(self) -> None:
        pass


async def _write(
    engine: Engine, model: Prepared, count: int, **options: Any
) -> tuple[list[Drawn], float, float]:
    """The tokens, the seconds to the first, and from there to the last."""
    asked = Options(max_tokens=count, seed=1, end_of_text=-1, **options)
    began, first = time.perf_counter(), 0.0
    drawn = []
    with closing(engine.begin(model, PROMPT, asked)) as writing:
        async for each in writing:
            first = first or time.perf_counter()
            drawn.append(each)
    return drawn, first - began, time.perf_counter() - first


def _reference(model: Any, count: int, options: dict[str, float]) -> float:
    """Seconds from the first token to the last."""
    times = _Times()
    ids = model.generate(
        torch.tensor([PROMPT]),
        max_new_tokens=count,
        do_sample=options["temperature"] > 0,
        use_cache=True,
        eos_token_id=None,
        pad_token_id=0,
        streamer=times,
        **(options if options["temperature"] > 0 else {}),
    )
    assert ids.shape[1] == PROMPT_TOKENS + count
    return time.perf_counter() - times.came[1]


def _peer(config: GPTConfig, dtype: torch.dtype) -> Any:
    shape = GPT2Config(
        n_layer=config.layers, n_embd=config.width, n_head=config.heads, n_positions=config.context
    )
    torch.set_default_dtype(dtype)
    try:
        model = GPT2LMHeadModel(shape)
    finally:
        torch.set_default_dtype(torch.float32)
    model.train(False)
    return model


def _range(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


@pytest.mark.parametrize(("preset", "rounds"), [("nano", 7), ("medium", 3)])
async def test_decode(preset: str, rounds: int) -> None:
    torch.set_num_threads(THREADS)
    config = GPT_CONFIGS[preset]
    began = time.perf_counter()
    model = prepare(GPTModel(config, seed=1).eval(), vocab_size=Tokenizer.vocab_size)
    print(
        f"\n{preset}: made ready in {time.perf_counter() - began:.2f} s, "
        f"{model.copies_bytes / 1e6:.0f} MB of copies; {type(model.decoder).__name__} in "
        f"{model.decoder.dtype}; load {os.getloadavg()[0]:.1f}"
    )
    peers = {dtype: _peer(config, dtype) for dtype in (torch.float32, torch.bfloat16)}
    engine = Engine(places=STREAMS, waiting=0, room_bytes=1 << 31)
    try:
        await _write(engine, model, 4, **DRAWN)
        for peer in peers.values():
            _reference(peer, 4, DRAWN)
        for name, options in (("greedy", GREEDY), ("drawn", DRAWN)):
            ours: list[float] = []
            theirs: dict[torch.dtype, list[float]] = {dtype: [] for dtype in peers}
            for _ in range(rounds):
                drawn, _, secs = await _write(engine, model, TOKENS, **options)
                assert len(drawn) == TOKENS
                ours.append(secs)
                for dtype, peer in peers.items():
                    theirs[dtype].append(_reference(peer, TOKENS, options))
            print(
                f"{preset} {name}, one text of {TOKENS} tokens, {THREADS} thread: "
                f"{(TOKENS - 1) / statistics.median(ours):.0f} tokens/s"
            )
            for dtype, secs_of_peer in theirs.items():
                ratios = [peer / own for peer, own in zip(secs_of_peer, ours, strict=True)]
                print(
                    f"  {_range(ratios)} x transformers in {dtype}, "
                    f"{(TOKENS - 1) / statistics.median(secs_of_peer):.0f} tokens/s"
                )
                assert statistics.median(ratios) > 1
        together, firsts = [], []
        for _ in range(rounds):
            _, first, alone = await _write(engine, model, STREAM_TOKENS, **DRAWN)
            firsts.append(first)
            began = time.perf_counter()
            await asyncio.gather(
                *(_write(engine, model, STREAM_TOKENS, **DRAWN) for _ in range(STREAMS))
            )
            together.append(STREAMS * (first + alone) / (time.perf_counter() - began))
        print(
            f"{preset}: {STREAMS} texts at once {_range(together)} x one; first token after "
            f"{1e3 * statistics.median(firsts):.0f} ms (up to {1e3 * max(firsts):.0f}); "
            f"load {os.getloadavg()[0]:.1f}"
        )
        assert statistics.median(together) > 1
    finally:
        engine.stop()
