"""Every number that a published model also has, against transformers' own through its hooks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lab.analysis.activations import activations
from lab.analysis.attention import Kind, attention
from lab.analysis.lens import lens
from lab.analysis.maxima import maxima
from lab.analysis.token_losses import token_losses
from lab.analysis.trace import trace
from lab.model import GPTModel
from lab.model.blockwise import suits
from tests.shared.analysis.conftest import CONFIG, IDS

EVERY = range(CONFIG.layers)
close = torch.testing.assert_close


@contextmanager
def _outputs(modules: dict[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """What each module answers, and what it was given as "NAME in", while the block runs."""
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
            found[f"{name} in"] = inputs[0][0] if inputs else torch.empty(0)
            found[name] = (output[0] if isinstance(output, tuple) else output)[0]

        return hook

    handles = [module.register_forward_hook(keep(name)) for name, module in modules.items()]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


@pytest.fixture(scope="module")
def seen(reference: Any) -> dict[str, Tensor]:
    """Of the whole reference in one pass."""
    modules: dict[str, nn.Module] = {"ln_f": reference.transformer.ln_f}
    for layer, block in enumerate(reference.transformer.h):
        for part in ("ln_1", "attn", "ln_2", "mlp"):
            modules[f"{layer} {part}"] = getattr(block, part)
        modules[f"{layer} act"] = block.mlp.act
    with torch.no_grad(), _outputs(modules) as found:
        answer = reference(torch.tensor([IDS]), output_attentions=True)
    found |= {f"{n} weights": each[0] for n, each in enumerate(answer.attentions)}
    return found | {"logits": answer.logits[0]}


def test_the_trace_is_the_forward_pass(model: GPTModel, seen: dict[str, Tensor]) -> None:
    walked = trace(model, IDS, weights_of=EVERY)
    close(trace(model, IDS).hidden, model.hidden(torch.tensor([IDS]))[0], atol=1e-5, rtol=1e-5)
    close(walked.hidden, seen["ln_f"], atol=2e-5, rtol=1e-4)
    for layer, block in enumerate(walked.blocks):
        close(block.entered, seen[f"{layer} ln_1 in"], atol=2e-5, rtol=1e-4)
        close(block.attention, seen[f"{layer} attn"], atol=2e-5, rtol=1e-4)
        close(block.between, seen[f"{layer} ln_2 in"], atol=2e-5, rtol=1e-4)
        close(block.feed_forward, seen[f"{layer} mlp"], atol=2e-5, rtol=1e-4)
        assert block.weights is not None
        close(block.weights, seen[f"{layer} weights"], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_the_long_way_and_the_training_kernel_agree(model: GPTModel, training: bool) -> None:
    """With gradients attention goes by blocks, without them by torch's fused kernel."""
    ids = torch.tensor([IDS])
    with torch.set_grad_enabled(training):
        assert suits(torch.empty(ids.shape)) is training
        fused = model(ids)[0].detach()
    eager = model.logits(trace(model, IDS, weights_of=EVERY).hidden)
    assert float((eager - fused).norm() / fused.norm()) <= 1e-5
    assert float((eager - fused).abs().max() / fused.abs().max()) <= 1e-5


def test_attention_maps(model: GPTModel, seen: dict[str, Tensor]) -> None:
    maps = attention(model, IDS, layers=[2, 0], heads=[3, 1])
    for place, layer in enumerate((2, 0)):
        close(maps[place], seen[f"{layer} weights"][[3, 1]], atol=1e-6, rtol=1e-5)
    assert float((maps.sum(-1) - 1).abs().max()) <= 1e-6
    assert (maps.triu(1) == 0).all()
    mean = attention(model, IDS, layers=[1], heads=[0], kind=Kind.MEAN)
    close(mean[0, 0], seen["1 weights"].mean(0), atol=1e-6, rtol=1e-5)


def test_value_weighted_attention_weighs_by_what_is_written(
    model: GPTModel, reference: Any, seen: dict[str, Tensor]
) -> None:
    maps = attention(model, IDS, layers=[1], heads=range(4), kind=Kind.VALUE_WEIGHTED)
    attn, C, D = reference.transformer.h[1].attn, CONFIG.width, CONFIG.head_width
    with torch.no_grad():
        values = attn.c_attn(seen["1 ln_1"])[:, 2 * C :]  # (T, C)
        for head in range(4):
            part = slice(head * D, (head + 1) * D)
            written = values[:, part] @ attn.c_proj.weight[part]  # (T, C): Conv1D keeps (in, out)
            scaled = seen["1 weights"][head] * written.norm(dim=-1)
            close(maps[0, head], scaled / scaled.sum(-1, keepdim=True), atol=1e-6, rtol=1e-4)


def test_norms_of_the_stream(model: GPTModel, seen: dict[str, Tensor]) -> None:
    found = activations(model, IDS)
    close(found.embedding, seen["0 ln_1 in"].norm(dim=-1), rtol=1e-5, atol=1e-5)
    for layer in EVERY:
        left = seen[f"{layer + 1} ln_1 in"] if layer + 1 < CONFIG.layers else seen["ln_f in"]
        for mine, theirs in (
            (found.pre_attention, seen[f"{layer} ln_1 in"]),
            (found.post_attention, seen[f"{layer} ln_2 in"]),
            (found.post_ffn, left),
            (found.attention_update, seen[f"{layer} attn"]),
            (found.ffn_update, seen[f"{layer} mlp"]),
        ):
            close(mine[layer], theirs.norm(dim=-1), rtol=1e-4, atol=1e-4)
    close(found.histogram.sum(-1), torch.ones(1 + 2 * CONFIG.layers))
    close(found.histogram_range[-1, 1], seen["ln_f in"].max(), rtol=1e-4, atol=1e-4)


def test_losses_ranks_and_likeliest_tokens(model: GPTModel, seen: dict[str, Tensor]) -> None:
    found = token_losses(model, IDS, top=4)
    logarithms = seen["logits"].log_softmax(-1)
    theirs = torch.nn.functional.cross_entropy(
        seen["logits"][:-1], torch.tensor(IDS[1:]), reduction="none"
    )
    assert found.loss[0].isnan()
    assert found.rank[0] == -1
    close(found.loss[1:], theirs, rtol=1e-4, atol=1e-4)
    best = logarithms.exp().topk(4)
    close(found.top_ids, best.indices)
    close(found.top_probabilities, best.values, rtol=1e-3, atol=1e-5)
    close(found.entropy, -(logarithms.exp() * logarithms).sum(-1), rtol=1e-4, atol=1e-4)
    order = logarithms[:-1].argsort(descending=True)
    ranks = (order == torch.tensor(IDS[1:])[:, None]).nonzero()[:, 1]
    assert found.rank[1:].tolist() == ranks.tolist()


def test_the_lens_reads_every_layer(
    model: GPTModel, reference: Any, seen: dict[str, Tensor]
) -> None:
    found = lens(model, IDS, top=3)
    streams = [seen[f"{layer} ln_1 in"] for layer in EVERY] + [seen["ln_f in"]]
    final = seen["logits"].log_softmax(-1)
    for row, stream in enumerate(streams):
        with torch.no_grad():
            read = reference.lm_head(reference.transformer.ln_f(stream)).log_softmax(-1)
        best = read.exp().topk(3)
        close(found.top_ids[row], best.indices)
        close(found.top_probabilities[row], best.values, rtol=1e-3, atol=1e-5)
        close(found.kl[row], (final.exp() * (final - read)).sum(-1), rtol=1e-3, atol=1e-4)
        following = read.exp()[torch.arange(len(IDS) - 1), IDS[1:]]
        close(found.next_probability[row, :-1], following, rtol=1e-3, atol=1e-6)
    assert found.next_probability[:, -1].isnan().all()


def test_largest_neurons_and_dimensions(model: GPTModel, seen: dict[str, Tensor]) -> None:
    found = maxima(model, IDS, top=6)
    for layer in EVERY:
        active = seen[f"{layer} act"]  # (T, 4C)
        close(found.neuron_values[layer], active.flatten().topk(6).values, rtol=1e-4, atol=1e-4)
        at = active[found.neuron_places[layer], found.neuron_ids[layer]]
        close(at, found.neuron_values[layer], rtol=1e-4, atol=1e-4)
    last = seen["ln_f in"]
    close(found.stream_values[-1].abs(), last.abs().flatten().topk(6).values, rtol=1e-4, atol=1e-4)
    at = last[found.stream_places[-1], found.stream_ids[-1]]
    close(at, found.stream_values[-1], rtol=1e-4, atol=1e-4)
