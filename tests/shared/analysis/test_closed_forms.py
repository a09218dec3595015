"""What no other library computes, against forms that can be worked out by hand."""

import math

import pytest
import torch

from lab.analysis import predictions as strips
from lab.analysis.attention import attention, rollout, row_divergence, thumbnails, without_sink
from lab.analysis.attribution import attribution
from lab.analysis.embedding import embedding_map, neighbours
from lab.analysis.predictions import predictions
from lab.analysis.token_losses import token_losses
from lab.analysis.weights import copying, relative_change, weight_statistics
from lab.model import GPTConfig, GPTModel
from tests.shared.analysis.conftest import CONFIG, IDS

close = torch.testing.assert_close


@pytest.mark.parametrize("position", [0, 7, None])
@pytest.mark.parametrize("against", [None, 5])
def test_the_parts_of_a_score_add_up_to_it(
    model: GPTModel, position: int | None, against: int | None
) -> None:
    found = attribution(model, IDS, position=position, target=9, against=against)
    logits = model(torch.tensor([IDS]))[0, -1 if position is None else position]
    expected = logits[9] - (0 if against is None else logits[against])
    close(found.score, expected.reshape(1), rtol=1e-4, atol=1e-4)
    parts = [found.heads.sum(), found.ffn.sum(), found.token, found.place, found.biases]
    close(sum(part.sum() for part in parts), expected, rtol=1e-3, atol=1e-3)


def test_the_likeliest_token_is_asked_unless_told(model: GPTModel) -> None:
    assert int(attribution(model, IDS).target) == int(model(torch.tensor([IDS]))[0, -1].argmax())


def test_a_head_that_writes_nothing_has_no_vote(model: GPTModel) -> None:
    silenced = GPTModel(CONFIG)
    silenced.load_state_dict(model.state_dict())
    D = CONFIG.head_width
    with torch.no_grad():
        silenced.get_parameter("transformer.h.1.attn.c_proj.weight")[:, D : 2 * D] = 0
    votes = attribution(silenced.eval(), IDS).heads
    assert votes[1, 1] == 0
    assert (votes != 0).sum() == votes.numel() - 1


def test_rollout_is_a_product_of_half_kept_layers() -> None:
    looks_back = torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    weights = looks_back.expand(2, 1, 3, 3)
    rolled = rollout(weights)
    half = 0.5 * torch.eye(3) + 0.5 * looks_back
    close(rolled[0], half)
    close(rolled[1], half @ half)
    # Token 2 is half itself after one layer, a quarter after two; token 0 comes in by way of 1.
    assert [float(rolled[layer, 2, 2]) for layer in (0, 1)] == [0.5, 0.25]
    assert [float(rolled[layer, 2, 0]) for layer in (0, 1)] == [0.0, 0.25]
    close(rolled.sum(-1), torch.ones(2, 3))


def test_without_the_sink_the_rest_is_scaled_up(model: GPTModel) -> None:
    maps = torch.tensor([[[[1.0, 0, 0], [0.5, 0.5, 0], [0.6, 0.1, 0.3]]]])
    close(without_sink(maps)[0, 0], torch.tensor([[0, 0, 0], [0, 1, 0], [0, 0.25, 0.75]]))
    hidden = attention(model, IDS, layers=[0], heads=[0], sink_hidden=True)
    assert (hidden[..., 0] == 0).all()
    close(hidden[0, 0, 1:].sum(-1), torch.ones(len(IDS) - 1))


def test_thumbnails_are_averages() -> None:
    maps = torch.arange(16.0).view(1, 1, 4, 4)
    close(thumbnails(maps, size=2)[0, 0], torch.tensor([[2.5, 4.5], [10.5, 12.5]]))
    assert thumbnails(maps, size=48).shape == (1, 1, 4, 4)


def test_rows_that_have_nothing_in_common_are_ln_2_apart() -> None:
    one, other = torch.eye(3), torch.eye(3).flip(0)
    found = row_divergence(one, other)
    assert found.tolist() == pytest.approx([math.log(2), 0.0, math.log(2)], abs=1e-6)


def test_a_model_that_knows_nothing_is_as_surprised_by_everything() -> None:
    model = GPTModel(GPTConfig(layers=1, width=8, heads=2, context=16, vocab_size=50)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    found = token_losses(model, [1, 2, 3])
    assert found.loss[1:].tolist() == pytest.approx([math.log(50)] * 2, abs=1e-5)
    assert found.entropy.tolist() == pytest.approx([math.log(50)] * 3, abs=1e-5)
    # Ids that only fill the matrix up take no part.
    padded = token_losses(model, [1, 2, 3], vocab_size=40)
    assert padded.loss[1:].tolist() == pytest.approx([math.log(40)] * 2, abs=1e-5)


def test_the_map_shows_the_largest_spread_and_is_turned_onto_another(model: GPTModel) -> None:
    ids = list(range(60))
    one = embedding_map(model, [*ids, 5])  # each once
    assert one.ids.tolist() == ids
    vectors = model.token_embedding.weight[ids].double()
    spreads = torch.linalg.eigvalsh(torch.cov(vectors.T)).flip(0)
    close(one.points.double().var(0), spreads[:3], rtol=1e-4, atol=1e-6)
    close(one.share.double(), spreads[:3] / spreads.sum(), rtol=1e-4, atol=1e-6)
    # The same network with its stream turned around: the same map once it is turned back.
    turned = GPTModel(CONFIG)
    turned.load_state_dict(model.state_dict())
    rotation = torch.linalg.qr(torch.randn(32, 32, generator=torch.Generator().manual_seed(4))).Q
    with torch.no_grad():
        turned.token_embedding.weight.copy_(model.token_embedding.weight @ rotation)
    close(embedding_map(turned, ids, onto=one).points, one.points, rtol=1e-3, atol=1e-4)


def test_neighbours_are_the_same_way_and_never_the_token_itself_or_filling() -> None:
    model = GPTModel(CONFIG, seed=1)
    vectors = model.token_embedding.weight.detach()
    with torch.no_grad():
        vectors[7] = 2 * vectors[3]  # the same way, of another length
        vectors[205] = vectors[3]  # a row beyond the vocabulary that only fills the matrix up
    found = neighbours(model, 3, top=5, vocab_size=200)
    assert int(found.neighbour_ids[0]) == 7
    assert not {3, 205} & set(found.neighbour_ids.tolist())
    expected = torch.nn.functional.cosine_similarity(vectors[found.neighbour_ids], vectors[3][None])
    close(found.cosine, expected)
    assert found.cosine.tolist() == sorted(found.cosine.tolist(), reverse=True)
    close(found.length[0], vectors[3].norm())


def test_weights_are_described_and_their_change_measured(model: GPTModel) -> None:
    found = weight_statistics(model, bins=10)
    name = "transformer.h.1.mlp.c_fc.weight"
    row, value = found.rows.index(name), model.get_parameter(name)
    for mine, theirs in (
        (found.mean, value.mean()),
        (found.deviation, value.std(unbiased=False)),
        (found.rms, value.square().mean().sqrt()),
        (found.smallest, value.min()),
        (found.largest, value.max()),
    ):
        close(mine[row], theirs)
    assert float(found.kurtosis[row]) == pytest.approx(3.0, abs=0.2)  # it is drawn from a bell
    close(found.histogram.sum(-1), torch.ones(len(found.rows)))
    other = GPTModel(CONFIG)
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        other.get_parameter(name).mul_(1.25)
    change = relative_change(model, other)
    assert float(change[row]) == pytest.approx(0.25, rel=1e-5)
    assert float(change.sum()) == pytest.approx(0.25, rel=1e-5)


def test_a_head_that_hands_on_what_it_reads_copies() -> None:
    config = GPTConfig(layers=1, width=8, heads=2, context=8, vocab_size=30)
    model = GPTModel(config, seed=3).eval()
    with torch.no_grad():
        attn = "transformer.h.0.attn"
        value = model.get_parameter(f"{attn}.c_attn.weight")[16:]
        out = model.get_parameter(f"{attn}.c_proj.weight")
        value.copy_(torch.eye(8))
        out.copy_(torch.eye(8))
        out[4:, 4:] *= -1  # the second head says the opposite of what it reads
    found = copying(model)
    assert found.tolist() == [pytest.approx([1.0, -1.0], abs=1e-5)]


@pytest.mark.parametrize("rising", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize(("vocab_size", "strip"), [(5, 1), (97, 1), (211, 1), (211, 2_000)])
def test_read_in_strips_the_head_says_what_it_says_at_once(
    monkeypatch: pytest.MonkeyPatch, vocab_size: int, strip: int, rising: float
) -> None:
    """The largest logit comes in the first strip, in any, or in the last one."""
    monkeypatch.setattr(strips, "STRIP_NUMBERS", strip)
    monkeypatch.setattr(strips, "_MOST_ROWS", 10)  # of 3 x 7 states
    generator = torch.Generator().manual_seed(vocab_size)
    model = GPTModel(CONFIG, seed=1).eval()
    with torch.no_grad():
        model.head_weight.copy_(torch.randn(211, 32, generator=generator))
        model.head_weight[:, 0] += rising * torch.arange(211) / 4
    states = torch.randn(3, 7, 32, generator=generator)
    states[:, :, 0] = 1.0
    following = [3, vocab_size - 1, 0, 1, 4, 2, None]
    breaths: list[None] = []
    found = predictions(
        model,
        list(states),
        following,
        top=4,
        vocab_size=vocab_size,
        between_pieces=lambda: breaths.append(None),
    )
    rows = states.double() @ model.head_weight[:vocab_size].detach().double().T  # (3, 7, V)
    logarithms = rows.log_softmax(-1)
    for row, read in zip(logarithms, found, strict=True):
        best = row.exp().topk(4)
        assert torch.equal(read.top_ids, best.indices)
        close(read.top_probabilities.double(), best.values, rtol=1e-4, atol=1e-6)
        close(read.entropy.double(), -(row.exp() * row).sum(-1), rtol=1e-4, atol=1e-4)
        kl = (logarithms[-1].exp() * (logarithms[-1] - row)).sum(-1)
        close(read.kl.double(), kl, rtol=1e-4, atol=1e-4)
        assert int(read.rank[-1]) == -1
        assert read.log_probability[-1].isnan()
        came = torch.arange(6), torch.tensor(following[:-1])
        close(read.log_probability[:-1].double(), row[came], rtol=1e-4, atol=1e-4)
        assert read.rank[:-1].tolist() == (row[:-1] > row[came][:, None]).sum(1).tolist()
    assert len(breaths) >= (3 if vocab_size > 32 and strip == 1 else 1)
