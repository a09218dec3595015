"""What the model does on the run's probe texts, the same ones from its first step to its last.

Nothing is saved of a run's weights unless its user asks, and then only now and then. These records
are small and always kept, so that how an ability came about can be looked at afterwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.analysis.attention import thumbnails
from lab.analysis.head_scores import BEHAVIOURS, scores_of_weights
from lab.analysis.probes import REPEATED_TOKENS, Probe, natural_probe, repeated_probe
from lab.model import AttentionTap, token_losses
from lab.spec import windows
from lab.text import Tokenizer
from lab.v1 import tensor_pb2
from lab.v1.recording_pb2 import HeadScores, ProbeRecord, ProbeText
from services.trainer.worker.training import Training

TEXTS = 3  # pieces of the validation split, when the user gives none
TOKENS = 64  # of each text; the rest of a longer one is not read
MAP_CELLS = 48  # a side of an attention map; longer texts are averaged down to it
MAPS_BYTES = 1 << 20  # of all maps of a record; large models get coarser ones

Weights = Mapping[int, Tensor]  # by layer, each (B, H, T, T)


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
    model.eval()
    if probes.texts:
        _read(training, probes.texts, record)
    if probes.synthetic is not None:
        weights, _ = _forward(training, probes.synthetic.ids)
        _put_scores(record.synthetic, weights, probes.synthetic)
    model.train()
    return record


def _read(training: Training, texts: list[list[int]], record: ProbeRecord) -> None:
    """All texts side by side. The shorter ones are filled up: what a token sees does not depend on
    what comes after it."""
    lengths = [len(text) for text in texts]
    ids = torch.zeros(len(texts), max(lengths), dtype=torch.long)  # (B, T)
    for row, text in zip(ids, texts, strict=True):
        row[: len(text)] = torch.tensor(text)
    weights, hidden = _forward(training, ids)
    losses = _losses(training, ids, hidden, lengths)
    cells = _cells(len(texts) * record.layers * record.heads)
    for row, (text, losses_of_text) in enumerate(zip(texts, losses, strict=True)):
        shown = record.texts.add(losses=losses_of_text)
        for token in text:
            shown.tokens.add(id=token)
        maps = [weights[layer][row, :, : len(text), : len(text)] for layer in sorted(weights)]
        _draw(shown, torch.stack(maps), cells)
    shortest = min(lengths)
    cut = {layer: each[..., :shortest, :shortest] for layer, each in weights.items()}
    _put_scores(record.natural, cut, natural_probe(texts))


def _forward(training: Training, ids: Tensor) -> tuple[Weights, Tensor]:
    """Attention by layer, each (B, H, T, T), and the states before the head (B, T, C)."""
    taps = {layer: AttentionTap() for layer in range(training.spec.model.layers)}
    hidden = training.model.hidden(ids.to(training.device), taps=taps)
    return {layer: tap.taken().cpu() for layer, tap in taps.items()}, hidden


def _losses(
    training: Training, ids: Tensor, hidden: Tensor, lengths: list[int]
) -> list[list[float]]:
    """Of each text, the loss of each token but the first."""
    counts = [length - 1 for length in lengths]
    states = torch.cat([row[:count] for row, count in zip(hidden, counts, strict=True)])
    targets = torch.cat([row[1:length] for row, length in zip(ids, lengths, strict=True)])
    losses = token_losses(
        states,  # (N, C)
        training.model.head_weight,
        targets.to(training.device),
        room=training.room.in_fp32(),
    )
    return [part.tolist() for part in torch.split(losses.cpu(), counts)]


def _cells(maps: int) -> int:
    """The side of a map, so that all of them fit."""
    return max(8, min(MAP_CELLS, int((MAPS_BYTES / maps) ** 0.5)))


def _draw(text: ProbeText, maps: Tensor, cells: int) -> None:
    """All heads (L, H, T, T) as one byte per cell (see Dtype): the square root keeps small weights
    apart."""
    small = thumbnails(maps.float(), size=cells)  # (L, H, n, n), n at most cells
    bytes_ = (small.clamp(0, 1).sqrt() * 255).round().to(torch.uint8)
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
