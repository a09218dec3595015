"""Temperature, top-k and the draw itself, as pure functions."""

import pytest
import torch

from services.inference.generation.engine import Drawn, Options, generate
from services.inference.generation.sampler import draw, likeliest, probability
from services.inference.generation.session import Sessions, TextDeltas
from tests.support.inference_service import TINY, tiny_model
from tests.support.waiting import until

LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0])


def _shares(*, temperature: float, top_k: int, draws: int = 4000) -> list[float]:
    generator = torch.Generator().manual_seed(11)
    counts = [0] * len(LOGITS)
    for _ in range(draws):
        counts[draw(LOGITS, temperature=temperature, top_k=top_k, generator=generator)] += 1
    return [count / draws for count in counts]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_as_often_as_their_probability_says(temperature: float) -> None:
    expected = (LOGITS / temperature).softmax(0).tolist()
    assert _shares(temperature=temperature, top_k=0) == pytest.approx(expected, abs=0.03)


def test_top_k_draws_among_the_k_likeliest_only() -> None:
    expected = [*LOGITS[:2].softmax(0).tolist(), 0.0, 0.0]
    shares = _shares(temperature=1.0, top_k=2)
    assert shares == pytest.approx(expected, abs=0.03)
    assert shares[2:] == [0.0, 0.0]


def test_a_top_k_beyond_the_vocabulary_leaves_all_open() -> None:
    assert _shares(temperature=1.0, top_k=1000) == _shares(temperature=1.0, top_k=0)


@pytest.mark.parametrize("temperature", [0.0, 5e-324, 1e-300, 1e-5, 1e-3])
def test_next_to_no_temperature_takes_the_likeliest(temperature: float) -> None:
    generator = torch.Generator().manual_seed(1)
    assert draw(LOGITS, temperature=temperature, top_k=0, generator=generator) == 0


def test_probabilities_are_those_before_the_knobs() -> None:
    expected = LOGITS.double().softmax(0)
    assert probability(LOGITS, 2) == pytest.approx(float(expected[2]))
    tokens, shares = zip(*likeliest(LOGITS, 2), strict=True)
    assert tokens == (0, 1)
    assert shares == pytest.approx(expected[:2].tolist())
    assert len(likeliest(LOGITS, 9)) == 4


def test_text_is_held_back_until_its_character_is_whole() -> None:
    deltas = TextDeltas()
    euro = "€".encode()
    assert [deltas.add(b"a"), deltas.add(euro[:1]), deltas.add(euro[1:])] == ["a", "", "€"]
    assert deltas.rest() == ""
    assert deltas.add(euro[:2]) == ""
    assert deltas.rest() == "\N{REPLACEMENT CHARACTER}"


async def test_nothing_is_computed_for_a_reader_that_is_gone() -> None:
    model = tiny_model()
    passes: list[int] = []
    model.blocks[0].register_forward_hook(lambda *_: passes.append(1))
    sessions = Sessions(1)
    options = Options(max_tokens=50, temperature=0, top_k=0, seed=1, end_of_text=50_256)
    running = sessions.run(generate(model, [1, 2, 3], options))
    drawn = [await anext(running) for _ in range(3)]
    assert all(isinstance(one, Drawn) for one in drawn)
    assert sessions.running == 1
    await running.aclose()  # type: ignore[attr-defined]
    await until(lambda: sessions.running == 0)
    sessions.close()
    assert len(passes) == 3
    assert TINY.context > 50
