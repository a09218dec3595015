"""Writing text: against transformers with its cache in turns, many texts at once, the first token.

`make bench t=tests/benchmarks/test_decode.py`. One process, as many threads for both sides as the
service takes by default; random weights, since speed does not depend on what they say. Each round
takes every contender once, and reading the prompt is left out of both sides. Processor time is told
beside the clock's, because on a busy machine the clock measures the neighbours.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.generation.streamers import BaseStreamer

from lab.model import GPT_CONFIGS, GPTConfig, GPTModel
from lab.text import Tokenizer
from services.inference.generation.engine import Engine
from services.inference.generation.options import Options
from services.inference.generation.prepared import Prepared, prepare

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1_800)]

THREADS = 1
TOKENS, PROMPT_TOKENS = 200, 16
STREAMS, STREAM_TOKENS = 16, 64
PROMPT = [(7 * n) % 50_000 for n in range(PROMPT_TOKENS)]
GREEDY = {"temperature": 0.0}
DRAWN = {"temperature": 0.8, "top_k": 40}  # the lab's own defaults


@dataclass(frozen=True)
class Moment:
    clock: float
    processor: float  # of all threads of this process

    @classmethod
    def now(cls) -> Moment:
        return cls(time.perf_counter(), time.process_time())

    def since(self, other: Moment) -> Moment:
        return Moment(self.clock - other.clock, self.processor - other.processor)


class _Times(BaseStreamer):
    """When each token came: transformers sends the prompt first."""

    def __init__(self) -> None:
        self.came: list[Moment] = []

    def put(self, value: object) -> None:
        self.came.append(Moment.now())

    def end(self) -> None:
        pass


async def _write(
    engine: Engine, model: Prepared, count: int, **options: Any
) -> tuple[Moment, Moment]:
    """How long until the first token, and from there to the last."""
    asked = Options(max_tokens=count, seed=1, end_of_text=-1, **options)
    began, came = Moment.now(), []
    with closing(engine.begin(model, PROMPT, asked)) as writing:
        async for _ in writing:
            came.append(Moment.now())
    assert len(came) == count
    return came[0].since(began), Moment.now().since(came[0])


def _reference(model: Any, count: int, options: dict[str, float]) -> Moment:
    """How long from the first token to the last."""
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
    return Moment.now().since(times.came[1])


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


def _ratios(others: Sequence[Moment], ours: Sequence[Moment]) -> tuple[str, float]:
    """Others over ours, round by round; in words, and the median by processor time."""
    by_clock = [other.clock / own.clock for other, own in zip(others, ours, strict=True)]
    by_processor = [o.processor / own.processor for o, own in zip(others, ours, strict=True)]
    told = [
        f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})"
        for each in (by_clock, by_processor)
    ]
    return f"{told[0]} by the clock, {told[1]} by the processor", statistics.median(by_processor)


def _pace(moments: Sequence[Moment], tokens: int) -> str:
    clock = statistics.median(each.clock for each in moments)
    processor = statistics.median(each.processor for each in moments)
    return f"{tokens / clock:.0f} tokens/s, {tokens / processor:.0f} a second of processor"


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
            ours: list[Moment] = []
            theirs: dict[torch.dtype, list[Moment]] = {dtype: [] for dtype in peers}
            for _ in range(rounds):
                ours.append((await _write(engine, model, TOKENS, **options))[1])
                for dtype, peer in peers.items():
                    theirs[dtype].append(_reference(peer, TOKENS, options))
            print(f"{preset} {name}, {TOKENS} tokens, {THREADS} thread: {_pace(ours, TOKENS - 1)}")
            for dtype, times in theirs.items():
                told, ratio = _ratios(times, ours)
                print(f"  {told} x transformers in {dtype}: {_pace(times, TOKENS - 1)}")
                assert ratio > 1
        sixteen_alone, together, firsts = [], [], []
        for _ in range(rounds):
            first, rest = await _write(engine, model, STREAM_TOKENS, **DRAWN)
            firsts.append(first.clock)
            alone = Moment(first.clock + rest.clock, first.processor + rest.processor)
            sixteen_alone.append(Moment(STREAMS * alone.clock, STREAMS * alone.processor))
            start = Moment.now()
            await asyncio.gather(
                *(_write(engine, model, STREAM_TOKENS, **DRAWN) for _ in range(STREAMS))
            )
            together.append(Moment.now().since(start))
        told, ratio = _ratios(sixteen_alone, together)
        print(
            f"{preset}: {STREAMS} texts at once {told} x one after the other; first token after "
            f"{1e3 * statistics.median(firsts):.0f} ms (up to {1e3 * max(firsts):.0f}); "
            f"load {os.getloadavg()[0]:.1f}"
        )
        assert ratio > 1
    finally:
        engine.stop()
