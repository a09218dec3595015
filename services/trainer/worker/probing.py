"""What the model does on the run's probe texts, the same ones from its first step to its last.

Nothing is saved of a run's weights unless its user asks, and then only now and then. These records
are small and always kept, so that how an ability came about can be looked at afterwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from lab.analysis.attention import thumbnails
from lab.analysis.head_scores import BEHAVIOURS, scores_of_weights
from lab.analysis.probes import REPEATED_TOKENS, Probe, natural_probe, repeated_probe
from lab.model import AttentionTap
from lab.spec import windows
from lab.text import Tokenizer
from lab.v1 import tensor_pb2
from lab.v1.recording_pb2 import HeadScores, ProbeRecord, ProbeText
from services.trainer.worker.training import Training

TEXTS = 3  # pieces of the validation split, when the user gives none
TOKENS = 64  # of each text; the rest of a longer one is not read
MAP_CELLS = 48  # a side of an attention map; longer texts are averaged down to it
MAPS_BYTES = 1 << 20  # of all maps of a record; large models get coarser ones

Weights = Mapping[int, Tensor]  # of one text by layer, each (1, H, T, T)


@dataclass(frozen=True)
class Probes:
    """The texts of a run."""

    texts: list[list[int]]
    synthetic: Probe | None  # None when the context is too short to repeat anything


def choose_probes(training: Training) -> Probes:
    """The user's texts, or pieces of the validation split, spread evenly."""
    spec, tokenizer = training.spec, Tokenizer()
    context, vocab_size = spec.model.context, spec.model.vocab_size
    length = min(TOKENS, context)
    if spec.hooks.probe_texts:
        texts = [tokenizer.encode(text)[:length] for text in spec.hooks.probe_texts]
    else:
        there = windows(len(training.validation), length)
        places = [index * there // TEXTS for index in range(min(TEXTS, there))]
        texts = [training.validation[p * length : (p + 1) * length].tolist() for p in places]
    repeated = min(REPEATED_TOKENS, (context - 1) // 2)
    return Probes(
        texts=[text for text in texts if len(text) >= 2],  # one token predicts nothing
        synthetic=repeated_probe(
            vocab_size=vocab_size, start=min(tokenizer.eot, vocab_size - 1), length=repeated
        )
        if repeated >= 2
        else None,
    )


@torch.no_grad()
def probe(training: Training, probes: Probes) -> ProbeRecord:
    """One look. In fp32, so that it shows what whoever loads the weights later will see."""
    model, shape = training.model, training.spec.model
    record = ProbeRecord(step=training.step, layers=shape.layers, heads=shape.heads)
    cells = _cells(shape.layers * shape.heads * max(1, len(probes.texts)))
    model.eval()
    taken: list[Weights] = []
    for ids in probes.texts:
        weights, losses = _read(training, ids)
        text = record.texts.add(losses=losses)
        for token in ids:
            text.tokens.add(id=token)
        _draw(text, weights, cells)
        taken.append(weights)
    if probes.texts:
        _put_scores(record.natural, _cut(taken), natural_probe(probes.texts))
    if probes.synthetic is not None:
        taps = {layer: AttentionTap() for layer in range(shape.layers)}
        model.hidden(probes.synthetic.ids.to(training.device), taps=taps)
        repeated = {layer: tap.taken().cpu() for layer, tap in taps.items()}
        _put_scores(record.synthetic, repeated, probes.synthetic)
    model.train()
    return record


def _read(training: Training, ids: list[int]) -> tuple[Weights, list[float]]:
    """Attention by layer, and the loss of each token but the first."""
    model = training.model
    taps = {layer: AttentionTap() for layer in range(model.config.layers)}
    row = torch.tensor([ids], device=training.device)  # (1, T)
    logits = model.logits(model.hidden(row, taps=taps)[0, :-1])  # (T - 1, V)
    losses: list[float] = F.cross_entropy(logits.float(), row[0, 1:], reduction="none").tolist()
    return {layer: tap.taken().cpu() for layer, tap in taps.items()}, losses


def _cut(taken: list[Weights]) -> Weights:
    """All texts as one batch, cut to the shortest: what a token sees does not depend on what
    comes after it."""
    length = min(weights[0].shape[-1] for weights in taken)
    return {
        layer: torch.cat([weights[layer][..., :length, :length] for weights in taken])
        for layer in taken[0]
    }  # each (B, H, T, T)


def _cells(maps: int) -> int:
    """The side of a map, so that all of them fit."""
    return max(8, min(MAP_CELLS, int((MAPS_BYTES / maps) ** 0.5)))


def _draw(text: ProbeText, weights: Weights, cells: int) -> None:
    """All heads as one byte per cell (see Dtype): the square root keeps small weights apart."""
    maps = torch.cat([weights[layer] for layer in sorted(weights)]).float()  # (L, H, T, T)
    maps = thumbnails(maps, size=cells)  # (L, H, n, n), n at most cells
    bytes_ = (maps.clamp(0, 1).sqrt() * 255).round().to(torch.uint8)
    text.attention.shape.extend(bytes_.shape)
    text.attention.dtype = tensor_pb2.DTYPE_UINT8_SQRT
    text.attention.data = bytes_.numpy().tobytes()


def _put_scores(message: HeadScores, weights: Weights, probe: Probe) -> None:
    scores = scores_of_weights(weights, probe)
    message.behaviours.extend(BEHAVIOURS)
    for field, values in (
        (message.chance, scores.chance),
        (message.raw, scores.raw),
        (message.corrected, scores.corrected),
        (message.sink_free, scores.sink_free),
        (message.entropy, scores.entropy),
        (message.distance, scores.distance),
    ):
        field.extend(values.flatten().tolist())
