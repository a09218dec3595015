"""Analyses take turns; the vocabulary is waited for and its absence said."""

import asyncio
import threading
from pathlib import Path

import pytest

from lab.errors import AssetUnreachable, Code, LabError
from lab.text import Assets
from services.inference.analysis.turns import Turns
from services.inference.words import Words
from tests.support.waiting import until


async def test_one_at_a_time_and_one_more_than_the_limit_is_refused() -> None:
    turns = Turns(2)
    go_on, running, most = threading.Event(), [0], [0]

    def work() -> str:
        running[0] += 1
        most[0] = max(most[0], running[0])
        assert go_on.wait(10)
        running[0] -= 1
        return "done"

    first, second = (asyncio.create_task(turns.run(work)) for _ in range(2))
    await until(lambda: running[0] == 1)
    with pytest.raises(LabError, match="which is the limit") as caught:
        await turns.run(work)
    assert caught.value.code is Code.RESOURCE_EXHAUSTED
    second.cancel()  # gives up its turn before it came
    await asyncio.wait({second})
    third = asyncio.create_task(turns.run(work))
    go_on.set()
    assert await first == "done"
    assert await third == "done"
    assert most[0] == 1
    turns.close()


async def test_a_missing_vocabulary_is_said_and_waited_for(
    tmp_path: Path, vocabulary: Path
) -> None:
    catalogue = tmp_path / "catalogue"
    catalogue.mkdir()
    known = (Path(__file__).parents[2] / "configs/assets/gpt2-encoder.yaml").read_text()
    without_sources = known[: known.index("sources:")]
    (catalogue / "gpt2-encoder.yaml").write_text(
        without_sources + "sources:\n  - https: https://127.0.0.1:1/encoder.json\n"
    )
    assets = Assets(tmp_path / "assets", catalogue=catalogue)
    words = Words(assets, retry_secs=0.05)
    with pytest.raises(AssetUnreachable, match="lab assets add gpt2-encoder FILE"):
        await words.split("text", field="text")
    ready = asyncio.Event()
    preparing = asyncio.create_task(words.prepare(ready.set))
    assets.add("gpt2-encoder", vocabulary)
    async with asyncio.timeout(20):
        await ready.wait()
    await preparing
    assert await words.split("Hello world", field="text") == [15496, 995]
