"""Writing text: against transformers with its cache in turns, many texts at once, the first token.

`make bench t=tests/benchmarks/test_decode.py`. One process, as many threads for both sides as the
service takes by default; random weights, since speed does not depend on what they say.
"""

import asyncio
import statistics
import time
from contextlib import closing
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from lab.model import GPT_CONFIGS, GPTModel
from lab.text import Tokenizer
from services.inference.generation.engine import Engine
from services.inference.generation.options import Drawn, Options

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1_800)]

THREADS = 1
TOKENS, PROMPT_TOKENS = 200, 16
STREAMS, STREAM_TOKENS = 16, 64
PROMPT = [(7 * n) % 50_000 for n in range(PROMPT_TOKENS)]
GREEDY = {"temperature": 0.0}
DRAWN = {"temperature": 0.8, "top_k": 40}  # the lab's own defaults


async def _write(
    engine: Engine, model: GPTModel, count: int, **options: Any
) -> tuple[list[Drawn], float, float]:
    """The tokens, the seconds to the first, and to the last."""
    asked = Options(max_tokens=count, seed=1, end_of_text=-1, **options)
    began, first = time.perf_counter(), 0.0
    drawn = []
    with closing(engine.begin(model, PROMPT, asked)) as writing:
        async for each in writing:
            first = first or time.perf_counter() - began
            drawn.append(each)
    return drawn, first, time.perf_counter() - began


def _reference(model: Any, count: int, options: dict[str, float]) -> float:
    began = time.perf_counter()
    ids = model.generate(
        torch.tensor([PROMPT]),
        max_new_tokens=count,
        do_sample=options["temperature"] > 0,
        use_cache=True,
        eos_token_id=None,
        pad_token_id=0,
        **(options if options["temperature"] > 0 else {}),
    )
    assert ids.shape[1] == PROMPT_TOKENS + count
    return time.perf_counter() - began


@pytest.mark.parametrize(("preset", "rounds"), [("nano", 7), ("medium", 3)])
async def test_decode(preset: str, rounds: int) -> None:
    torch.set_num_threads(THREADS)
    config = GPT_CONFIGS[preset]
    model = GPTModel(config, seed=1).eval()
    reference = GPT2LMHeadModel(
        GPT2Config(
            n_layer=config.layers,
            n_embd=config.width,
            n_head=config.heads,
            n_positions=config.context,
        )
    )
    reference.train(False)
    engine = Engine(places=STREAMS, waiting=0, room_bytes=1 << 31, vocab_size=Tokenizer.vocab_size)
    try:
        await _write(engine, model, 4, **DRAWN)  # prepares the weights
        _reference(reference, 4, DRAWN)
        for name, options in (("greedy", GREEDY), ("drawn", DRAWN)):
            ratios, ours, theirs = [], [], []
            for _ in range(rounds):
                drawn, _, secs = await _write(engine, model, TOKENS, **options)
                assert len(drawn) == TOKENS
                ours.append(secs)
                theirs.append(_reference(reference, TOKENS, options))
                ratios.append(theirs[-1] / secs)
            print(
                f"\n{preset} {name}, one text of {TOKENS} tokens, {THREADS} thread: "
                f"{statistics.median(ratios):.2f} x transformers ({min(ratios):.2f} to "
                f"{max(ratios):.2f}); {TOKENS / statistics.median(ours):.0f} against "
                f"{TOKENS / statistics.median(theirs):.0f} tokens/s"
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
            together.append(STREAMS * alone / (time.perf_counter() - began))
        print(
            f"{preset}: {STREAMS} texts at once {statistics.median(together):.2f} x one "
            f"({min(together):.2f} to {max(together):.2f}); first token after "
            f"{1e3 * statistics.median(firsts):.0f} ms (up to {1e3 * max(firsts):.0f})"
        )
        assert statistics.median(together) > 1
    finally:
        engine.stop()
