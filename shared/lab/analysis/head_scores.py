"""What an attention head looks for, as numbers: to the token before, to an earlier copy, ...

A score is the share of its attention that a head gives to the keys a behaviour names, averaged over
the queries asked. Beside it stands what blind luck would score, because a short text makes every
head look busy: a head that looks everywhere alike gives each of q + 1 visible tokens 1 / (q + 1).

    corrected = (score - chance) / (1 - chance)     0: as good as blind, 1: always and only there

Behaviours (Olsson et al. 2022, "In-context learning and induction heads"):

| name      | the keys a query q should look at                          |
|-----------|------------------------------------------------------------|
| previous  | q - 1                                                      |
| duplicate | earlier tokens that equal q's                              |
| induction | tokens that followed an earlier copy of q's: what comes next |
| sink      | 0: where heads look when they have nothing to say          |
| self      | q                                                          |
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.analysis.probes import Probe
from lab.model import GPTModel

BEHAVIOURS = ("previous", "duplicate", "induction", "sink", "self")
LABEL_AT = 0.4  # corrected score from which on a head is given a name
_NEXT_TO_0 = 1e-30  # 0 ln 0 is 0
_LEAST_REST = 0.05  # a row that gives the sink more than 1 - this says nothing about other keys


@dataclass(frozen=True)
class HeadScores:
    """Of L layers with H heads; the last axis goes by BEHAVIOURS.

    NaN where the probe cannot tell: no token of the text is repeated, say.
    """

    raw: Tensor  # (L, H, 5) share of attention
    corrected: Tensor  # (L, H, 5) the same, above chance
    sink_free: Tensor  # (L, H, 5) corrected, of the attention that does not go to token 0
    chance: Tensor  # (5) what a blind head scores
    entropy: Tensor  # (L, H) 0: one key at a time, 1: all alike
    distance: Tensor  # (L, H) tokens looked back on average


@torch.no_grad()
def head_scores(model: GPTModel, probe: Probe) -> HeadScores:
    """All heads of a model on one probe."""
    weights = model.attention_weights(probe.ids, range(model.config.layers))
    return scores_of_weights(weights, probe)


@torch.no_grad()
def scores_of_weights(weights: Mapping[int, Tensor], probe: Probe) -> HeadScores:
    """The same from attention weights (B, H, T, T) by layer, however they were taken."""
    wanted = wanted_keys(probe.ids)  # (5, B, T, T)
    asked = probe.asked & (wanted.sum(-1) > 0)  # (5, B, T): a query with nothing to find is no test
    visible = torch.arange(1, probe.ids.shape[1] + 1)  # (T) keys that query q may look at
    chance = _mean((wanted.sum(-1) / visible), asked)  # (5)
    blind = _mean(wanted[..., 1:].sum(-1) / (visible - 1).clamp(min=1), asked)  # without token 0
    shares = wanted.float()
    each = [
        _of_layer(weights[layer].float(), shares, asked, probe.asked, chance, blind)
        for layer in sorted(weights)
    ]
    parts = zip(*each, strict=True)
    raw, corrected, sink_free, entropy, distance = (torch.stack(part) for part in parts)
    return HeadScores(raw, corrected, sink_free, chance, entropy, distance)


def wanted_keys(ids: Tensor) -> Tensor:
    """Which keys each behaviour names, (5, B, T, T) bool by behaviour, query and key."""
    B, T = ids.shape
    place = torch.arange(T)
    back = (place[:, None] - place[None, :]).expand(B, T, T)  # (B, T, T): q - k
    same = ids[:, :, None] == ids[:, None, :]  # (B, T, T): equal tokens
    follows = torch.zeros_like(same)  # the key's predecessor equals the query
    follows[:, :, 1:] = same[:, :, :-1]
    found = (back == 1, same & (back > 0), follows & (back > 0), back == place[:, None], back == 0)
    return torch.stack([each.expand(B, T, T) for each in found])


def label(synthetic: Tensor, natural: Tensor | None) -> tuple[str, bool]:
    """A head's name from its corrected scores (5) on both probes, and whether both bear it out.

    "unlabelled" where nothing does: a name without evidence teaches something false.
    """
    best = max(range(len(BEHAVIOURS)), key=lambda index: _number(synthetic[index]))
    if not _number(synthetic[best]) >= LABEL_AT:
        return "unlabelled", False
    return BEHAVIOURS[best], natural is not None and _number(natural[best]) >= LABEL_AT


def _of_layer(
    weights: Tensor, wanted: Tensor, asked: Tensor, rows: Tensor, chance: Tensor, blind: Tensor
) -> tuple[Tensor, ...]:
    """weights (B, H, T, T) -> raw, corrected, sink_free (each H, 5), entropy, distance (each H)."""
    T = weights.shape[-1]
    shares = torch.einsum("bhqk,sbqk->shbq", weights, wanted)  # (5, H, B, T)
    raw = _mean(shares, asked[:, None])  # (5, H)
    sink = weights[..., 0].transpose(0, 1)  # (H, B, T): what goes to token 0
    rest = 1 - sink
    others = shares - sink * wanted[:, None, ..., 0]  # (5, H, B, T)
    usable = asked[:, None] & (rest >= _LEAST_REST)[None]  # (5, H, B, T)
    usable[:, :, :, :2] = False
    free = _mean(others / rest.clamp(min=_LEAST_REST), usable)  # (5, H)
    free[BEHAVIOURS.index("sink")] = float("nan")
    place = torch.arange(T, dtype=torch.float32)
    surprise = -(weights * weights.clamp(min=_NEXT_TO_0).log()).sum(-1)  # (B, H, T), in nats
    share = surprise / (place + 1).log().clamp(min=1e-9)  # of ln(q + 1), the most there can be
    looked = (weights * (place[:, None] - place[None, :])).sum(-1)  # (B, H, T), in tokens
    rows = rows & (place > 0)
    return (
        raw.T,
        ((raw - chance[:, None]) / (1 - chance[:, None])).T,
        ((free - blind[:, None]) / (1 - blind[:, None])).T,
        _mean(share.transpose(0, 1), rows[None]),
        _mean(looked.transpose(0, 1), rows[None]),
    )


def _mean(values: Tensor, counted: Tensor) -> Tensor:
    """Over the last two axes, of what counts; NaN where nothing does."""
    counted = counted.expand(values.shape)
    return torch.where(counted, values, 0.0).sum((-1, -2)) / counted.sum((-1, -2))


def _number(value: Tensor) -> float:
    """As a float that compares: NaN is no evidence."""
    return float(value.nan_to_num(nan=-1.0))
