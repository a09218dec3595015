"""The kernels: the numbers of the model, to the last bit the same whoever else is written for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from lab.kernels import operations
from lab.model import GPTConfig
from services.inference.generation.decoder import Part
from services.inference.generation.head import EXACT
from services.inference.generation.packed import PackedDecoder, PackedShortlist
from tests.support.inference_service import tiny_model

pytestmark = pytest.mark.skipif(operations() is None, reason="the kernels are not there")

VOCAB = 50_257
LONG = GPTConfig(layers=2, width=32, heads=4, context=512)


def test_the_kernels_compute_what_the_model_does() -> None:
    """A prompt in pieces, then tokens, in odd sizes: heads of 8 numbers, a width of 48."""
    config = GPTConfig(layers=3, width=48, heads=6, context=40, ffn_multiple=3)
    model = tiny_model(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn(parameter.shape, generator=torch.manual_seed(1)) / 9)
    ids = [(31 * n) % 50_000 for n in range(40)]
    with torch.no_grad():
        expected = model.hidden(torch.tensor([ids]))[0]
    for dtype, near in ((torch.float32, 2e-6), (torch.bfloat16, 0.02)):
        decoder = PackedDecoder(model, dtype=dtype)
        room, read = decoder.room(40), 0
        for count in (11, 1, 9, 1, 1, 16, 1):
            found = decoder.hidden([Part(room, ids[read : read + count])])[0]
            read += count
            wanted = expected[read - 1]
            assert float((found - wanted).norm() / wanted.norm()) < near


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_with_the_kernels_neighbours_and_threads_change_not_a_bit(dtype: torch.dtype) -> None:
    decoder = PackedDecoder(tiny_model(LONG), dtype=dtype)
    prompts = [[n + 1] * (3 + 10 * n) for n in range(11)]

    def alone(prompt: Sequence[int]) -> Tensor:
        room = decoder.room(len(prompt) + 1)
        decoder.hidden([Part(room, prompt)])
        return decoder.hidden([Part(room, [9])])

    expected = torch.cat([alone(prompt) for prompt in prompts])
    rooms = [decoder.room(len(prompt) + 1) for prompt in prompts]
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        for cut in (slice(0, 2), slice(2, None)):  # each prompt in two pieces, all together
            parts = [Part(room, prompt[cut]) for room, prompt in zip(rooms, prompts, strict=True)]
            decoder.hidden(parts)
        together = decoder.hidden([Part(room, [9]) for room in rooms])
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(together, expected)


def test_bytes_that_cannot_tell_tokens_apart_are_looked_at_again() -> None:
    """1,000 tokens that are one in 8 bits: the best of them is found all the same."""
    generator = torch.Generator().manual_seed(2)
    weight = torch.randn(VOCAB, 16, generator=generator)
    weight[:1000] = torch.full((16,), 3.0) + 1e-4 * torch.rand(1000, 16, generator=generator)
    hidden = torch.ones(2, 16)
    shortlist = PackedShortlist(weight)
    best = (weight.double() @ hidden[0].double()).topk(40)
    for listed in shortlist.listed(hidden, [40, 40]):
        assert listed is not None
        assert len(listed.ids) >= 1000 > EXACT
        assert listed.scores[:40].tolist() == pytest.approx(best.values.tolist(), rel=1e-6)
    weight.mul_(0.01)[:20_000] = 1.0  # more than are worth it: then all are scored
    assert PackedShortlist(weight).listed(hidden, [40, 1]) == [None, None]
    assert shortlist.listed(torch.full((1, 16), float("nan")), [1]) == [None]
