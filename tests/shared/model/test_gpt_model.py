"""What must hold for every GPT, whatever its size."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lab.model import (
    GPT_CONFIGS,
    AttentionTap,
    GPTConfig,
    GPTModel,
    KeyValueCache,
    LogitsRoom,
    linear_cross_entropy,
)
from lab.spec import count_parameters, load_presets, parameter_parts
from lab.v1.run_spec_pb2 import ModelSpec


@torch.no_grad()
def test_a_later_token_never_changes_an_earlier_prediction(model: GPTModel, ids: Tensor) -> None:
    changed = ids.clone()
    changed[:, 9] = (changed[:, 9] + 1) % model.config.vocab_size
    before, after = model(ids), model(changed)
    assert torch.equal(before[:, :9], after[:, :9])
    assert not torch.allclose(before[:, 9:], after[:, 9:])


@torch.no_grad()
def test_the_fused_and_the_eager_path_agree(model: GPTModel, ids: Tensor) -> None:
    taps = {layer: AttentionTap() for layer in range(model.config.layers)}
    torch.testing.assert_close(model(ids, taps=taps), model(ids), rtol=1e-5, atol=1e-5)


def test_attention_rows_sum_to_one_and_see_no_future(model: GPTModel, ids: Tensor) -> None:
    weights = model.attention_weights(ids, [1])
    assert list(weights) == [1]
    assert weights[1].shape == (3, 4, 16, 16)
    torch.testing.assert_close(weights[1].sum(-1), torch.ones(3, 4, 16))
    assert torch.equal(weights[1].triu(1), torch.zeros_like(weights[1]))
    # Far from uniform, or the test would not notice a softmax over the wrong axis.
    assert weights[1].max() > 0.5


def test_a_layer_out_of_range_is_refused(model: GPTModel, ids: Tensor) -> None:
    with pytest.raises(ValueError, match="0 to 1"):
        model.attention_weights(ids, [2])


@torch.no_grad()
@pytest.mark.parametrize("pieces", [[16], [1] * 16, [5, 1, 4, 6]])
def test_a_cache_gives_the_logits_of_the_full_pass(
    model: GPTModel, ids: Tensor, pieces: list[int]
) -> None:
    cache = KeyValueCache(model.config, batch=3)
    parts = [model(part, cache=cache) for part in torch.split(ids, pieces, dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), model(ids), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_cache_set_back_forgets(model: GPTModel, ids: Tensor) -> None:
    cache = KeyValueCache(model.config, batch=3)
    model(ids, cache=cache)
    cache.length = 4
    again = model(ids[:, 4:6], cache=cache)
    torch.testing.assert_close(again, model(ids[:, :6])[:, 4:], rtol=1e-4, atol=1e-5)


def test_more_tokens_than_the_context_are_refused(model: GPTModel) -> None:
    with pytest.raises(ValueError, match="17 tokens are more than the context 16"):
        model(torch.zeros(1, 17, dtype=torch.long))


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "tied"), [("nano", True), ("nano", False), ("small", True), ("medium", True)]
)
def test_a_new_model_is_as_unsure_as_can_be(name: str, tied: bool) -> None:
    model = GPTModel(replace(GPT_CONFIGS[name], tied=tied), seed=5)
    ids = torch.randint(50_257, (2, 257), generator=torch.Generator().manual_seed(6))
    loss = F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
    assert abs(loss.item() - math.log(50_257)) < 0.2


def test_the_seed_decides_the_weights(config: GPTConfig) -> None:
    torch.manual_seed(1)
    first = GPTModel(config, seed=7)
    torch.manual_seed(2)
    second, other = GPTModel(config, seed=7), GPTModel(config, seed=8)
    for name, parameter in first.named_parameters():
        assert torch.equal(parameter, second.get_parameter(name))
    wte = "transformer.wte.weight"
    assert not torch.equal(first.get_parameter(wte), other.get_parameter(wte))


def test_residual_projections_begin_smaller() -> None:
    model = GPTModel(GPT_CONFIGS["nano"], seed=1)
    projection = model.get_parameter("transformer.h.3.mlp.c_proj.weight")
    expansion = model.get_parameter("transformer.h.3.mlp.c_fc.weight")
    assert expansion.std().item() == pytest.approx(0.02, rel=0.05)
    assert projection.std().item() == pytest.approx(0.02 / math.sqrt(12), rel=0.05)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("nano", 9_938_080), ("small", 51_213_824), ("medium", 124_439_808)],
)
def test_presets_have_their_true_sizes(name: str, parameters: int) -> None:
    with torch.device("meta"):
        model = GPTModel(GPT_CONFIGS[name])
    assert model.parameter_count() == parameters
    preset = load_presets()[name]
    assert preset.parameters == parameters
    assert GPTConfig.from_spec(preset.spec.model) == GPT_CONFIGS[name]


@pytest.mark.parametrize("tied", [True, False])
def test_the_formula_counts_what_the_model_has(tied: bool) -> None:
    spec = ModelSpec(
        layers=3, width=24, heads=2, context=10, ffn_multiple=3, tied=tied, vocab_size=101
    )
    model = GPTModel(GPTConfig.from_spec(spec))
    assert model.parameter_count() == count_parameters(spec)
    for part in parameter_parts(spec):
        mine = {n: p.numel() for n, p in model.named_parameters() if _PARTS[part.name] in n}
        assert sum(mine.values()) == part.parameters, part.name
        in_block = sum(numbers for name, numbers in mine.items() if ".h.1." in name)
        assert in_block == part.per_block, part.name


_PARTS = {
    "token embedding": "wte",
    "positions": "wpe",
    "attention": ".attn.",
    "feed-forward": ".mlp.",
    "norms": ".ln_",
    "output head": "lm_head",
}


def learnt(*, steps: int, dtype: torch.dtype) -> tuple[float, GPTModel]:
    """The loss of nano on one batch, after so many steps on nothing else."""
    model = GPTModel(GPT_CONFIGS["nano"], seed=1)
    ids = torch.randint(50_257, (1, 33), generator=torch.Generator().manual_seed(7))
    room = LogitsRoom(vocab_size=50_257, width=160, chunk_tokens=32, dtype=dtype)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95), fused=True)
    for _ in range(steps):
        optimizer.zero_grad()
        hidden = model.hidden(ids[:, :-1], dtype=dtype).flatten(0, 1)  # (T, C)
        loss, _ = linear_cross_entropy(
            hidden, model.head_weight, ids[0, 1:], room=room, scale=1 / 32
        )
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return loss.item(), model


def test_nano_can_learn_one_batch_by_heart() -> None:
    assert learnt(steps=1, dtype=torch.float32)[0] > 10
    assert learnt(steps=45, dtype=torch.float32)[0] < 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_same_steps_give_the_same_bits(dtype: torch.dtype) -> None:
    (first, one), (second, other) = (learnt(steps=3, dtype=dtype) for _ in range(2))
    assert first == second
    for name, parameter in one.named_parameters():
        assert torch.equal(parameter, other.get_parameter(name)), name
