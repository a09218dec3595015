"""A head that training made, found by the scorecard; tests/shared/analysis/test_built_heads.py has
those that were wired, an induction head among them.

The text is random but for its echoes: a third of the tokens are those of two places before. Nothing
foretells them but the token before the present one, so a head has to learn to look there.
"""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lab.analysis.head_scores import HeadScores, head_scores, label
from lab.analysis.probes import repeated_probe
from lab.model import GPTConfig, GPTModel

VOCAB, CONTEXT, BATCH, STEPS, WARM_UP = 64, 32, 32, 150, 30
RATE, SPREAD, ECHOES = 5e-3, 5.0, 0.33  # SPREAD: a narrow model begins with larger weights
PROBE = repeated_probe(vocab_size=VOCAB, start=0, length=14)


def _echoes(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Ids and which of them are echoes, (B, T) each."""
    ids = torch.randint(1, VOCAB, (BATCH, CONTEXT), generator=generator)
    echo = torch.rand(BATCH, CONTEXT, generator=generator) < ECHOES
    echo[:, :2] = False
    for place in range(2, CONTEXT):
        ids[:, place] = torch.where(echo[:, place], ids[:, place - 2], ids[:, place])
    ids[:, 0] = 0
    echo[:, 2] = False  # the first token is always the same
    return ids, echo


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """So small a model is slower on two, much slower on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _new(layers: int) -> GPTModel:
    model = GPTModel(
        GPTConfig(
            layers=layers, width=64, heads=2, context=CONTEXT, ffn_multiple=1, vocab_size=VOCAB
        ),
        seed=1,
    )
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(SPREAD)
    return model


def _train(model: GPTModel) -> None:
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.98))
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = RATE * min(1.0, (step + 1) / WARM_UP)
        ids, echo = _echoes(generator)
        logits = model(ids[:, :-1])  # (B, T - 1, V)
        loss = F.cross_entropy(logits[echo[:, 1:]], ids[:, 1:][echo[:, 1:]])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def _names(scores: HeadScores) -> list[str]:
    return [label(head, None)[0] for layer in scores.corrected for head in layer]


@pytest.mark.parametrize("layers", [1, 2])
def test_training_makes_a_previous_token_head_and_the_scorecard_finds_it(layers: int) -> None:
    model = _new(layers)
    assert set(_names(head_scores(model, PROBE))) == {"unlabelled"}
    _train(model)
    names = _names(head_scores(model, PROBE))
    assert "previous" in names
    # Nothing repeats at any distance but 2 in these texts, so nothing can have learned to copy.
    assert "induction" not in names
