"""Head scores against attention patterns whose scores are known in closed form."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lab.analysis.head_scores import (
    BEHAVIOURS,
    HeadScores,
    head_scores,
    label,
    scores_of_weights,
)
from lab.analysis.probes import Probe, natural_probe, repeated_probe
from lab.model import GPTConfig, GPTModel

LENGTH = 8
COPIES = (8, 7, 6)  # tokens of r in each draw
PROBE = repeated_probe(vocab_size=50, start=0, length=LENGTH, draws=3)
T = 2 * LENGTH + 1


def _looking_at(back: Callable[[int, int], int]) -> Tensor:
    """One head (B, 1, T, T) that gives all its attention to one key per query, told by the query
    and the length of the draw's r."""
    weights = torch.zeros(3, 1, T, T)
    for draw, n in enumerate(COPIES):
        for query in range(T):
            weights[draw, 0, query, max(0, query - back(query, n))] = 1.0
    return weights


def _uniform() -> Tensor:
    return (torch.ones(T, T).tril() / torch.arange(1, T + 1)[:, None]).expand(3, 1, T, T)


PATTERNS = {
    "previous": _looking_at(lambda query, n: 1),
    "duplicate": _looking_at(lambda query, n: n),
    "induction": _looking_at(lambda query, n: n - 1),
    "sink": _looking_at(lambda query, n: query),
    "self": _looking_at(lambda query, n: 0),
}


def _of(scores: HeadScores, behaviour: str, kind: str = "corrected") -> float:
    values: Tensor = getattr(scores, kind)
    return float(values[0, 0, BEHAVIOURS.index(behaviour)])


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_a_head_that_does_one_thing_scores_1_in_it_and_below_chance_elsewhere(
    behaviour: str,
) -> None:
    scores = scores_of_weights({0: PATTERNS[behaviour]}, PROBE)
    assert _of(scores, behaviour) == pytest.approx(1.0)
    for other in BEHAVIOURS:
        if other != behaviour:
            assert _of(scores, other) < 0
    assert label(scores.corrected[0, 0], scores.corrected[0, 0]) == (behaviour, True)
    assert label(scores.corrected[0, 0], None) == (behaviour, False)
    assert float(scores.entropy[0, 0]) == pytest.approx(0.0, abs=1e-6)


def test_a_blind_head_scores_exactly_chance_and_gets_no_name() -> None:
    scores = scores_of_weights({0: _uniform()}, PROBE)
    asked = [q for n in COPIES for q in range(T - n, T)]
    assert _of(scores, "previous", "raw") == pytest.approx(
        sum(1 / (q + 1) for q in asked) / len(asked)
    )
    for behaviour in BEHAVIOURS:
        assert _of(scores, behaviour) == pytest.approx(0.0, abs=1e-6)
        if behaviour != "sink":
            assert _of(scores, behaviour, "sink_free") == pytest.approx(0.0, abs=1e-6)
    assert math.isnan(_of(scores, "sink", "sink_free"))
    assert float(scores.entropy[0, 0]) == pytest.approx(1.0, abs=1e-5)
    assert float(scores.distance[0, 0]) == pytest.approx(sum(q / 2 for q in asked) / len(asked))
    assert label(scores.corrected[0, 0], None) == ("unlabelled", False)


def test_a_head_that_looks_back_a_fixed_distance_is_no_induction_head() -> None:
    fixed = _looking_at(lambda query, n: LENGTH - 1)
    scores = scores_of_weights({0: fixed}, PROBE)
    assert _of(scores, "induction") < 0.4  # right in the first draw only
    assert label(scores.corrected[0, 0], None) == ("unlabelled", False)


def test_the_sink_hides_what_the_rest_does_until_it_is_taken_out() -> None:
    mixed = 0.8 * PATTERNS["sink"] + 0.2 * PATTERNS["induction"]
    scores = scores_of_weights({0: mixed}, PROBE)
    assert _of(scores, "induction", "raw") == pytest.approx(0.2)
    assert _of(scores, "induction", "sink_free") == pytest.approx(1.0)
    all_sink = scores_of_weights({0: PATTERNS["sink"]}, PROBE)
    assert math.isnan(_of(all_sink, "induction", "sink_free"))


def test_on_real_text_every_earlier_copy_counts_and_no_copy_is_no_test() -> None:
    # a b a c a: the last a has two copies, followed by b and c.
    probe = natural_probe([[5, 6, 5, 7, 5]])
    weights = torch.ones(1, 1, 5, 5).tril() / torch.arange(1, 6)[:, None]
    scores = scores_of_weights({0: weights}, probe)
    # Asked queries with an earlier copy: 2 (one copy of three keys) and 4 (two of five).
    assert _of(scores, "duplicate", "raw") == pytest.approx((1 / 3 + 2 / 5) / 2)
    assert _of(scores, "induction", "raw") == pytest.approx((1 / 3 + 2 / 5) / 2)
    assert _of(scores, "induction") == pytest.approx(0.0, abs=1e-6)
    without = scores_of_weights({0: weights}, natural_probe([[1, 2, 3, 4, 5]]))
    assert math.isnan(_of(without, "induction"))
    assert label(without.corrected[0, 0], None) == ("unlabelled", False)


def test_the_probe_is_the_same_text_twice_and_the_same_for_a_seed() -> None:
    probe = repeated_probe(vocab_size=100, start=99, length=20, draws=2, seed=4)
    assert probe.ids.shape == (2, 41)
    assert (probe.ids[:, 0] == 99).all()
    for row, asked, n in zip(probe.ids, probe.asked, (20, 15), strict=True):
        assert torch.equal(row[-n:], row[-2 * n : -n])
        assert len(set(row.tolist())) == 41 - n
        assert asked.tolist() == [place >= 41 - n for place in range(41)]
    again = repeated_probe(vocab_size=100, start=99, length=20, draws=2, seed=4)
    other = repeated_probe(vocab_size=100, start=99, length=20, draws=2, seed=5)
    assert torch.equal(again.ids, probe.ids)
    assert not torch.equal(other.ids, probe.ids)
    with pytest.raises(ValueError, match="must be from 2 to 4"):
        repeated_probe(vocab_size=10, start=0, length=5)


def test_a_whole_model_is_scored_layer_by_layer() -> None:
    model = GPTModel(GPTConfig(layers=3, width=16, heads=2, context=32, vocab_size=50), seed=1)
    scores = head_scores(model.eval(), PROBE)
    weights = model.attention_weights(PROBE.ids, [1])
    alone = scores_of_weights(weights, Probe(PROBE.ids, PROBE.asked))
    assert scores.raw.shape == (3, 2, len(BEHAVIOURS))
    torch.testing.assert_close(scores.corrected[1], alone.corrected[0])
    torch.testing.assert_close(scores.entropy[1], alone.entropy[0])
