"""Heads that training made, found by the scorecard; tests/shared/analysis/test_built_heads.py has
those that were wired.

The text is random but for pairs: a few pairs of tokens, others in every text, come again and again
between random tokens. What follows the first of a pair that has been there before can be known by
looking it up only: which token came after it last time? That takes two heads one above the other.
The first writes to each token which one stood before it, the second looks for the token whose
predecessor equals the present one: an induction head (Olsson et al. 2022). One layer cannot do it,
however long it trains.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lab.analysis.head_scores import BEHAVIOURS, LABEL_AT, HeadScores, head_scores, label
from lab.analysis.probes import repeated_probe
from lab.model import GPTConfig, GPTModel

pytestmark = pytest.mark.timeout(600)  # half a minute of processor time, which others may want

START, VOCAB, CONTEXT, BATCH = 0, 64, 48, 32
PAIRS, FILLED = 6, 0.5  # pairs of a text; the chance of a random token after each
STEPS, WARM_UP, RATE = 1_200, 50, 3e-3  # 1,000 to 1,200 do, whatever the seed
LATER = 2_000  # where numbers are rounded otherwise the heads may come later
SPREAD = 5.0  # a narrow model begins with larger weights
SEED = 1
# Random sequences written twice, which no training text was.
PROBE = repeated_probe(vocab_size=VOCAB, start=START, length=10)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """So small a model is slower on two, much slower on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _texts(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Ids (B, T), and which of them (B, T) can be known: second tokens of a pair seen before."""
    n = CONTEXT // 2  # more than there is room for
    order = 1 + torch.rand(BATCH, VOCAB - 1, generator=generator).argsort(dim=1)  # (B, V - 1)
    pairs = order[:, : 2 * PAIRS].view(BATCH, PAIRS, 2)
    rest = order[:, 2 * PAIRS :]  # tokens that are in no pair of this text
    choice = torch.randint(PAIRS, (BATCH, n), generator=generator)
    chosen = F.one_hot(choice, PAIRS)  # (B, n, PAIRS)
    seen = ((chosen.cumsum(1) - chosen) * chosen).sum(-1) > 0  # (B, n)
    written = pairs.gather(1, choice[:, :, None].expand(-1, -1, 2))  # (B, n, 2)
    between = rest.gather(1, torch.randint(rest.shape[1], (BATCH, n), generator=generator))
    filled = torch.rand(BATCH, n, generator=generator) < FILLED

    # One after the other: first of the pair, second, and now and then a random token.
    no = torch.zeros_like(seen)
    ids = torch.cat([written, between[:, :, None]], 2).flatten(1)  # (B, 3 n)
    known = torch.stack([no, seen, no], 2).flatten(1)
    left_out = torch.stack([no, no, ~filled], 2).flatten(1)
    kept = left_out.long().argsort(dim=1, stable=True)[:, : CONTEXT - 1]  # the others move up
    start = torch.full((BATCH, 1), START)
    ids = torch.cat([start, ids.gather(1, kept)], 1)
    return ids, torch.cat([no[:, :1], known.gather(1, kept)], 1)


def _trained(
    *, layers: int, steps: int, until: Sequence[str] | None = None
) -> tuple[GPTModel, float]:
    """A model that has learned from such texts, and its last loss on what can be known. Ends sooner
    when its heads have the names `until`."""
    config = GPTConfig(
        layers=layers, width=64, heads=1, context=CONTEXT, ffn_multiple=1, vocab_size=VOCAB
    )
    model = GPTModel(config, seed=SEED)
    assert set(_names(head_scores(model, PROBE))) == {"unlabelled"}
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(SPREAD)
    generator = torch.Generator().manual_seed(SEED)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.98))
    loss = torch.tensor(torch.inf)
    for step in range(steps):
        if until and step % 100 == 0 and _names(head_scores(model, PROBE)) == until:
            break
        optimizer.param_groups[0]["lr"] = RATE * min(1.0, (step + 1) / WARM_UP)
        ids, known = _texts(generator)
        hidden = model.hidden(ids[:, :-1])  # (B, T - 1, C)
        logits = model.logits(hidden[known[:, 1:]])  # of those before what can be known, (N, V)
        loss = F.cross_entropy(logits, ids[known])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model.eval(), float(loss.detach())


def _names(scores: HeadScores) -> list[str]:
    """Head by head, layer by layer."""
    return [label(head, None)[0] for layer in scores.corrected for head in layer]


def test_two_layers_learn_a_previous_token_head_and_an_induction_head() -> None:
    model, loss = _trained(layers=2, steps=LATER, until=["previous", "induction"])
    assert loss < 1.0  # what came after it last time is known
    assert _names(head_scores(model, PROBE)) == ["previous", "induction"]


def test_one_layer_learns_no_induction_head() -> None:
    model, loss = _trained(layers=1, steps=STEPS)
    assert loss > 1.5  # it tells the tokens of the text from others, not which of them comes
    scores = head_scores(model, PROBE)
    assert "induction" not in _names(scores)
    assert scores.corrected[..., BEHAVIOURS.index("induction")].max() < LABEL_AT / 4
