"""Analyses take turns and keep their walks; the vocabulary is waited for and its absence said."""

import asyncio
import gc
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lab.errors import AssetUnreachable, Code, LabError
from lab.text import Assets
from services.inference.analysis.turns import Breathe, Turns
from services.inference.analysis.walks import Walks, walk_bytes
from services.inference.words import Words
from tests.support.inference_service import tiny_model
from tests.support.waiting import until


async def test_one_at_a_time_and_one_more_than_the_limit_is_refused() -> None:
    turns = Turns(2)
    go_on, running, most = threading.Event(), [0], [0]

    def work(_: Breathe) -> str:
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


async def test_short_questions_go_before_a_long_one_also_in_the_middle_of_it() -> None:
    turns = Turns(9)
    begun, go_on = threading.Event(), threading.Event()
    done: list[str] = []

    def long(breathe: Breathe) -> None:
        begun.set()
        assert go_on.wait(10)
        breathe()
        done.append("long")

    def named(name: str) -> Callable[[Breathe], None]:
        return lambda _: done.append(name)

    under_way = asyncio.create_task(turns.run(long, patience_secs=100))
    await until(begun.is_set)
    waiting = [
        asyncio.create_task(turns.run(named(name), patience_secs=patience_secs))
        for name, patience_secs in (
            ("patient", 200),
            ("soon", 50),
            ("at once", 0),
            ("soon too", 50),
        )
    ]
    await asyncio.sleep(0)  # they are asked in this order
    go_on.set()
    await asyncio.gather(under_way, *waiting)
    assert done == ["at once", "soon", "soon too", "long", "patient"]
    turns.close()


async def test_an_answer_nobody_waits_for_is_given_up_in_the_middle() -> None:
    turns = Turns(1)
    begun, go_on, pieces = threading.Event(), threading.Event(), [0]

    def in_pieces(breathe: Breathe) -> None:
        for _ in range(3):
            pieces[0] += 1
            begun.set()
            assert go_on.wait(10)
            breathe()

    left = asyncio.create_task(turns.run(in_pieces))
    await until(begun.is_set)
    left.cancel()
    await asyncio.wait({left})
    go_on.set()
    assert await turns.run(lambda _: "free again") == "free again"
    assert pieces == [1]
    turns.close()


async def test_who_waits_too_long_hears_how_many_are_ahead() -> None:
    turns = Turns(9, most_waiting_secs=0.05)
    begun, go_on = threading.Event(), threading.Event()

    def slow(_: Breathe) -> str:
        begun.set()
        assert go_on.wait(10)
        return "done"

    first = asyncio.create_task(turns.run(slow))
    await until(begun.is_set)
    with pytest.raises(LabError, match="1 analyses are before this one") as caught:
        await turns.run(lambda _: None)
    assert caught.value.code is Code.RESOURCE_EXHAUSTED
    assert caught.value.metadata == {"ahead": "1"}
    go_on.set()
    assert await first == "done"  # what is under way takes as long as it takes
    turns.close()


def test_a_walk_is_kept_for_the_next_question_within_its_memory() -> None:
    one, other = tiny_model(), tiny_model(seed=2)
    size = walk_bytes(one.config, 5)
    walks = Walks(2 * size)
    ids = [1, 2, 3, 4, 5]
    walked = walks.of(one, ids)
    assert walks.of(one, ids, weights_of=[1]) is walked
    held = [
        part.untyped_storage().nbytes()
        for block in walked.blocks
        for part in (block.attention, block.between, block.feed_forward, block.left, block.weights)
        if part is not None
    ]
    assert sum(held) + walked.tokens.nbytes + walked.hidden.nbytes <= size
    assert not torch.equal(walks.of(other, ids).hidden, walked.hidden)
    assert walks.held_bytes == 2 * size
    walks.of(one, [5, 4, 3, 2, 1])  # the one asked for least recently goes
    assert walks.held_bytes == 2 * size
    assert walks.of(one, ids) is not walked
    largest = walks.of(one, [*range(60)], weights_of=[1])  # more than all there is: not kept
    assert [block.weights is None for block in largest.blocks] == [True, False]
    assert walks.held_bytes == 2 * size


def test_the_walk_of_a_model_that_is_gone_is_not_that_of_another_in_its_place() -> None:
    walks = Walks(1 << 20)
    model = tiny_model()
    walked = walks.of(model, [1, 2])
    reference, kept = walks._kept[(id(model), (1, 2))]
    del model
    gc.collect()
    assert reference() is None
    another = tiny_model(seed=2)
    walks._kept[(id(another), (1, 2))] = (reference, kept)  # the same place in memory
    walks._sizes[(id(another), (1, 2))] = 1
    assert walks.of(another, [1, 2]) is not walked


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
