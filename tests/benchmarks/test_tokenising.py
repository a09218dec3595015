"""How fast text becomes tokens, for each core that does it."""

import statistics
import time

import pytest

from lab import folders
from lab.text import Assets, Tokenizer

WANTED_MB_PER_SEC = 8.0
ROUNDS = 7


@pytest.mark.bench
def test_megabytes_a_second_and_core() -> None:
    """Of the processor's time, as one process of the pool spends it on texts of a few pages."""
    assets = Assets(folders.home() / "assets")
    tokenizer = Tokenizer(assets)
    text = assets.fetch("tiny-shakespeare").read_text(encoding="utf-8")
    pages = [text[start : start + 20_000] for start in range(0, len(text), 20_000)]
    rates, tokens = [], 0
    for _ in range(ROUNDS):
        began = time.thread_time()
        tokens = sum(len(tokenizer.encode_array(page)) for page in pages)
        rates.append(len(text.encode()) / 1e6 / (time.thread_time() - began))
    print(
        f"\n{len(text.encode()) / 1e6:.2f} MB, {tokens:,} tokens: "
        f"{statistics.median(rates):.1f} MB/s a core, {min(rates):.1f} to {max(rates):.1f}"
    )
    assert tokenizer.decode(tokenizer.encode(pages[0])) == pages[0]
    assert statistics.median(rates) >= WANTED_MB_PER_SEC
