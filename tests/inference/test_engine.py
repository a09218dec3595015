"""The writing thread: the right tokens for each of many texts, whoever else is written for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import pytest
import torch
from torch import Tensor

from lab.errors import Code, LabError
from lab.kernels import operations
from lab.model import GPTConfig, GPTModel
from services.inference.generation import engine as engine_module
from services.inference.generation.decoder import Decoder, Part
from services.inference.generation.engine import Engine, Writing
from services.inference.generation.head import EXACT, Bf16Shortlist, Head, Shortlist
from services.inference.generation.options import Drawn, Options
from services.inference.generation.packed import PackedDecoder, PackedShortlist
from services.inference.generation.prepared import Prepared, prepare
from tests.support.inference_service import TINY, tiny_model
from tests.support.waiting import until

VOCAB = 50_257
LONG = GPTConfig(layers=2, width=32, heads=4, context=512)


def _options(**values: Any) -> Options:
    return Options(**{"max_tokens": 20, "seed": 1, "end_of_text": VOCAB - 1, **values})


def with_kernels(value: Any) -> Any:
    reason = "the kernels are not there"
    return pytest.param(value, marks=pytest.mark.skipif(operations() is None, reason=reason))


class Preparing(Engine):
    """An engine that makes networks ready itself, with the kernels or with torch alone."""

    def __init__(self, *, kernels: bool, **values: Any) -> None:
        super().__init__(**{"places": 16, "waiting": 8, "room_bytes": 1 << 28, **values})
        self.kernels = kernels
        self.decoder = PackedDecoder if kernels else Decoder
        self.ready: dict[GPTModel, Prepared] = {}

    def write(self, network: GPTModel, prompt: Sequence[int], **values: Any) -> Writing:
        if network not in self.ready:
            self.ready[network] = prepare(network, vocab_size=VOCAB, kernels=self.kernels)
        return self.begin(self.ready[network], prompt, _options(**values))


@pytest.fixture(params=[False, with_kernels(True)], ids=["torch", "kernels"])
def engine(request: pytest.FixtureRequest) -> Iterator[Preparing]:
    running = Preparing(kernels=request.param)
    yield running
    running.stop()


async def _write(
    engine: Preparing, model: GPTModel, prompt: Sequence[int], **values: Any
) -> list[Drawn]:
    with closing(engine.write(model, prompt, **values)) as writing:
        return [drawn async for drawn in writing]


def _ids(drawn: Sequence[Drawn]) -> list[int]:
    return [each.token for each in drawn]


def _greedy(model: GPTModel, prompt: Sequence[int], count: int) -> list[int]:
    """One whole forward pass per token, as in the book."""
    ids = list(prompt)
    with torch.no_grad():
        for _ in range(count):
            ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
    return ids[len(prompt) :]


async def test_it_writes_what_whole_forward_passes_write(engine: Preparing) -> None:
    model = tiny_model()
    drawn = await _write(engine, model, [5, 6, 7], temperature=0, max_tokens=30)
    assert _ids(drawn) == _greedy(model, [5, 6, 7], 30)
    with torch.no_grad():
        logarithms = model(torch.tensor([[5, 6, 7]]))[0, -1].double().log_softmax(0)
    best = logarithms.topk(5)
    assert [token for token, _ in drawn[0].alternatives] == best.indices.tolist()
    assert [value for _, value in drawn[0].alternatives] == pytest.approx(best.values, abs=1e-4)
    assert drawn[0].log_probability == pytest.approx(float(best.values[0]), abs=1e-4)


async def test_a_long_prompt_read_in_pieces_is_the_same_prompt(engine: Preparing) -> None:
    model = tiny_model(LONG)
    prompt = [(7 * n) % 1000 for n in range(3 * engine_module.PIECE_TOKENS + 5)]
    assert _ids(await _write(engine, model, prompt, temperature=0, max_tokens=8)) == _greedy(
        model, prompt, 8
    )


async def test_texts_do_not_depend_on_their_neighbours(engine: Preparing) -> None:
    """Prompts of many lengths, joining and leaving; drawn at random, each by its own seed."""
    model = tiny_model(LONG)
    asked = [
        {"prompt": [n + 1] * (1 + 17 * n), "seed": n, "max_tokens": 5 + 3 * n, "temperature": 0.9}
        for n in range(9)
    ]
    alone = [_ids(await _write(engine, model, **each)) for each in asked]  # type: ignore
    together = await asyncio.gather(*(_write(engine, model, **each) for each in asked))  # type: ignore
    assert [_ids(drawn) for drawn in together] == alone
    assert len({tuple(ids) for ids in alone}) == 9


async def test_they_are_written_in_the_same_rounds(engine: Preparing) -> None:
    model, passes = tiny_model(LONG), []
    hidden = engine.decoder.hidden

    def counted(self: Any, parts: Sequence[Part]) -> torch.Tensor:
        passes.append(len(parts))
        return hidden(self, parts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.decoder, "hidden", counted)
        await asyncio.gather(
            *(_write(engine, model, [n], max_tokens=50, temperature=0) for n in range(8))
        )
    assert sum(passes) == 8 * 50
    assert len(passes) < 8 * 50 / 2  # most rounds serve several


async def test_a_prompt_being_read_does_not_hold_up_a_text_being_written(engine: Preparing) -> None:
    model = tiny_model(LONG)
    rounds: list[list[int]] = []
    hidden = engine.decoder.hidden

    def counted(self: Any, parts: Sequence[Part]) -> torch.Tensor:
        rounds.append([len(part.ids) for part in parts])
        return hidden(self, parts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.decoder, "hidden", counted)
        await asyncio.gather(
            _write(engine, model, [1], max_tokens=40, temperature=0),
            _write(engine, model, [2] * 400, max_tokens=2, temperature=0),
        )
    assert max(sum(n for n in lengths if n > 1) for lengths in rounds) == engine_module.PIECE_TOKENS
    assert any(sorted(lengths)[0] == 1 and len(lengths) == 2 for lengths in rounds)


async def test_a_reader_that_goes_away_frees_its_place(engine: Preparing) -> None:
    model, passes = tiny_model(LONG), []
    hidden = engine.decoder.hidden

    def counted(self: Any, parts: Sequence[Part]) -> torch.Tensor:
        passes.append(1)
        return hidden(self, parts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.decoder, "hidden", counted)
        with closing(engine.write(model, [1], max_tokens=500, temperature=0)) as writing:
            reading = aiter(writing)
            await anext(reading)
        await until(lambda: engine.running == 0)
        assert len(passes) < 500
    # And there is room for the next one.
    assert len(await _write(engine, model, [1], max_tokens=3)) == 3


async def test_those_beyond_the_places_wait_in_order_and_those_beyond_the_queue_are_refused() -> (
    None
):
    engine = Preparing(kernels=False, places=2, waiting=3)
    model = tiny_model(LONG)
    try:
        running = [engine.write(model, [1], max_tokens=400) for _ in range(2)]
        await until(lambda: engine.running == 2)
        waiting = [engine.write(model, [1], max_tokens=2) for _ in range(3)]
        with pytest.raises(LabError, match="2 texts are being written and 3 wait") as caught:
            engine.write(model, [1])
        assert caught.value.code is Code.RESOURCE_EXHAUSTED
        assert caught.value.metadata["limit"] == "5"
        waiting[1].close()  # gives up its turn before it came
        for writing in running:
            writing.close()
        assert len([drawn async for drawn in waiting[0]]) == 2
        assert len([drawn async for drawn in waiting[2]]) == 2
        assert waiting[2].waited_secs > 0
        assert waiting[1].taken_up_at is None
    finally:
        engine.stop()


async def test_who_gives_up_while_waiting_leaves_the_queue_at_once() -> None:
    engine = Preparing(kernels=False, places=1, waiting=2)
    model = tiny_model(LONG)
    try:
        running = engine.write(model, [1], max_tokens=500)
        await until(lambda: engine.running == 1)
        for _ in range(2):
            waiting = [engine.write(model, [1], max_tokens=2) for _ in range(2)]
            with pytest.raises(LabError, match="and 2 wait"):
                engine.write(model, [1])
            for writing in waiting:
                writing.close()
        assert engine.running == 1  # so that nothing but the closing made room
        running.close()
    finally:
        engine.stop()


async def test_texts_wait_for_memory_and_one_too_large_is_told() -> None:
    model = tiny_model(LONG)
    one = Decoder(model).room_bytes(400)
    engine = Preparing(kernels=False, room_bytes=one)
    try:
        first, second = await asyncio.gather(
            _write(engine, model, [1], max_tokens=400, temperature=0),
            _write(engine, model, [1], max_tokens=300, temperature=0),
        )
        assert (len(first), len(second)) == (400, 300)
        with pytest.raises(LabError, match="ask for fewer tokens"):
            await _write(engine, model, [1], max_tokens=402)
    finally:
        engine.stop()


async def test_what_began_on_old_weights_ends_on_them(engine: Preparing) -> None:
    old, new = tiny_model(LONG, seed=1), tiny_model(LONG, seed=2)
    expected = _greedy(old, [3], 40)
    with closing(engine.write(old, [3], max_tokens=40, temperature=0)) as writing:
        engine.ready.clear()  # as the registry lets it go
        del old
        reading = aiter(writing)
        begun = [await anext(reading) for _ in range(3)]
        other = await _write(engine, new, [3], max_tokens=10, temperature=0)
        rest = [drawn async for drawn in reading]
    assert _ids([*begun, *rest]) == expected
    assert _ids(other) == _greedy(new, [3], 10)


async def test_one_text_that_fails_does_not_stop_the_thread(engine: Preparing) -> None:
    model = tiny_model()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.decoder, "hidden", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await _write(engine, model, [1])
    assert len(await _write(engine, model, [1], max_tokens=2)) == 2


async def test_ids_that_only_fill_the_matrix_up_are_never_drawn(engine: Preparing) -> None:
    padded = tiny_model(GPTConfig(layers=1, width=32, heads=4, context=64, vocab_size=50_304))
    with torch.no_grad():
        padded.get_parameter("transformer.ln_f.bias").fill_(1.0)
        padded.head_weight[VOCAB:].fill_(5.0)  # far likelier than any token
        assert int(padded(torch.tensor([[1]]))[0, -1].argmax()) >= VOCAB
    for options in ({"temperature": 0}, {"temperature": 2.0, "top_k": 0}, {"temperature": 2.0}):
        drawn = await _write(engine, padded, [1], **options)
        assert all(each.token < VOCAB for each in drawn)
        assert all(token < VOCAB for each in drawn for token, _ in each.alternatives)


@pytest.mark.parametrize("shortlist", [Bf16Shortlist, with_kernels(PackedShortlist)])
@pytest.mark.parametrize("rows", [1, 3])
def test_the_shortlist_finds_the_same_tokens_with_the_same_scores(
    rows: int, shortlist: Callable[[Tensor], Shortlist]
) -> None:
    model = tiny_model()
    generator = torch.Generator().manual_seed(3)
    hidden = torch.randn(rows, TINY.width, generator=generator)
    options = [_options(top_k=40, alternatives=20)] * rows
    weight = model.head_weight.detach()
    short = Head(weight, shortlist(weight)).score(hidden, options)
    exact = Head(weight, None).score(hidden, options)
    for one, other in zip(short, exact, strict=True):
        assert len(one.candidates.ids) == EXACT
        assert [token for token, _ in one.best] == [token for token, _ in other.best]
        assert [score for _, score in one.best] == pytest.approx(
            [score for _, score in other.best], rel=1e-5
        )
        assert one.log_total == pytest.approx(other.log_total, abs=1e-3)


def test_scores_too_close_to_tell_apart_are_all_taken_exactly() -> None:
    # 1,000 tokens within what bf16 cannot tell: the shortlist alone would leave out the best.
    weight = torch.full((VOCAB, 8), -1.0)
    weight[:1000] = 1.0
    weight[777, 0] = 1.0001
    hidden = torch.ones(1, 8)
    options = [_options(temperature=0)]
    scored = Head(weight, Bf16Shortlist(weight)).score(hidden, options)[0]
    assert len(scored.candidates.ids) == VOCAB
    assert scored.best[0][0] == 777


async def test_weights_read_in_bf16_stay_close(engine: Preparing) -> None:
    model = tiny_model()
    exact, narrow = Decoder(model), Decoder(model, dtype=torch.bfloat16)
    for ids in ([1, 2, 3, 4], [5]):  # several rows, and the path of a single one
        one = exact.hidden([Part(exact.room(8), ids)])
        other = narrow.hidden([Part(narrow.room(8), ids)])
        assert float((one - other).norm() / one.norm()) < 0.02
