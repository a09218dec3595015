"""Each kind of question: what it may ask for, what that may cost, and the arrays that answer it.

The computing is done by lab.analysis; here the wire's options become its arguments.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from lab.analysis.activations import activations
from lab.analysis.attribution import attribution
from lab.analysis.embedding import EmbeddingMap, embedding_map, neighbours
from lab.analysis.head_scores import BEHAVIOURS, HeadScores, head_scores, label
from lab.analysis.lens import lens
from lab.analysis.maxima import maxima
from lab.analysis.predictions import divergence
from lab.analysis.probes import REPEATED_DRAWS, REPEATED_TOKENS, natural_probe, repeated_probe
from lab.analysis.token_losses import token_losses
from lab.analysis.weights import copying, relative_change, weight_statistics
from lab.errors import InvalidArgument
from lab.model import GPTModel
from lab.text import Tokenizer
from lab.v1 import analysis_service_pb2 as messages
from services.inference.analysis.asked import Array, Arrays, Asked, Kind, plain
from services.inference.analysis.maps import attention_arrays, check_attention, compare_attention
from services.inference.analysis.quotas import at_most, check_work

MAX_TOP, MAX_BINS, MAX_MAXIMA, MAX_MAP, MAX_NEIGHBOURS = 20, 200, 50, 5_000, 50
MAX_DRAWS = 16
_WORDS = Tokenizer.vocab_size  # rows beyond only fill the matrix up


def _check_tokens(asked: Asked) -> None:
    at_most("tokens.top", asked.question.top, limit=MAX_TOP, otherwise=5)


def _tokens(model: GPTModel, asked: Asked) -> Arrays:
    top = asked.question.top or 5
    return plain(
        token_losses(
            model,
            asked.ids,
            top=top,
            vocab_size=_WORDS,
            walked=asked.walk(model),
            between_pieces=asked.breathe,
        )
    )


def _compare_tokens(asked: Asked) -> Arrays:
    """How far the predictions lie apart at each place."""
    one, other = asked.models
    kl = divergence(one, other, asked.ids, vocab_size=_WORDS, between_pieces=asked.breathe)
    return {"kl": Array(kl)}


def _check_activations(asked: Asked) -> None:
    at_most("activations.bins", asked.question.bins, limit=MAX_BINS, otherwise=40)


def _activations(model: GPTModel, asked: Asked) -> Arrays:
    return plain(
        activations(model, asked.ids, bins=asked.question.bins or 40, walked=asked.walk(model))
    )


def _check_lens(asked: Asked) -> None:
    at_most("lens.top", asked.question.top, limit=MAX_TOP, otherwise=5)
    if asked.question.first >= len(asked.ids):
        raise InvalidArgument.field(
            "lens.first",
            f"must be 0 to {len(asked.ids) - 1} in this text, but is {asked.question.first}",
        )


def _lens(model: GPTModel, asked: Asked) -> Arrays:
    first, count = asked.question.first, asked.question.count
    return plain(
        lens(
            model,
            asked.ids,
            top=asked.question.top or 5,
            places=slice(first, first + count if count else None),
            vocab_size=_WORDS,
            walked=asked.walk(model),
            between_pieces=asked.breathe,
        )
    )


def _check_heads(asked: Asked) -> None:
    at_most("heads.draws", asked.question.draws, limit=MAX_DRAWS, otherwise=REPEATED_DRAWS)
    for model in asked.models:
        config = model.config
        longest = (config.context - 1) // 2
        length = asked.question.length
        if length and not 2 <= length <= longest:
            raise InvalidArgument.field(
                "heads.length", f"must be from 2 to {longest} in this model, but is {length}"
            )
        tokens = max(len(asked.ids), 2 * (length or REPEATED_TOKENS) + 1)
        draws = asked.question.draws or REPEATED_DRAWS
        check_work(tokens=min(tokens, config.context), maps=config.layers * config.heads * draws)


def _heads(model: GPTModel, asked: Asked) -> Arrays:
    longest = (model.config.context - 1) // 2
    synthetic = head_scores(
        model,
        repeated_probe(
            vocab_size=_WORDS,
            start=Tokenizer.eot,
            length=asked.question.length or min(REPEATED_TOKENS, longest),
            draws=asked.question.draws or REPEATED_DRAWS,
            seed=asked.question.seed or 1,
        ),
    )
    natural = head_scores(model, natural_probe([asked.ids])) if len(asked.ids) > 2 else None
    names, evidence = _labels(synthetic, natural)
    found = {f"synthetic_{name}": array for name, array in plain(synthetic).items()}
    if natural is not None:
        found |= {f"natural_{name}": array for name, array in plain(natural).items()}
    return {
        **found,
        "copying": Array(copying(model)),
        "label": Array(names),
        "evidence": Array(evidence),
    }


def _labels(synthetic: HeadScores, natural: HeadScores | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Index of the behaviour each head shows, -1 for none, and how many probes bear it out."""
    names = torch.full(synthetic.entropy.shape, -1, dtype=torch.int32)
    evidence = torch.zeros_like(names)
    for layer, head in torch.cartesian_prod(*(torch.arange(n) for n in names.shape)).tolist():
        of_text = None if natural is None else natural.corrected[layer, head]
        name, both = label(synthetic.corrected[layer, head], of_text)
        if name in BEHAVIOURS:
            names[layer, head] = BEHAVIOURS.index(name)
            evidence[layer, head] = 2 if both else 1
    return names, evidence


def _check_attribution(asked: Asked) -> None:
    question: messages.AttributionQuestion = asked.question
    if question.position >= len(asked.ids):
        raise InvalidArgument.field(
            "attribution.position",
            f"must be 0 to {len(asked.ids) - 1} in this text, but is {question.position}",
        )
    for field, token in (("target", question.target), ("against", question.against)):
        if token >= _WORDS:
            raise InvalidArgument.field(
                f"attribution.{field}", f"must be a token id from 0 to {_WORDS - 1}"
            )
    for model in asked.models:
        check_work(tokens=len(asked.ids), maps=model.config.layers * model.config.heads)


def _attribution(model: GPTModel, asked: Asked) -> Arrays:
    question: messages.AttributionQuestion = asked.question
    return plain(
        attribution(
            model,
            asked.ids,
            position=question.position if question.HasField("position") else None,
            target=question.target if question.HasField("target") else None,
            against=question.against if question.HasField("against") else None,
            vocab_size=_WORDS,
            walked=asked.walk(model, range(model.config.layers)),
        )
    )


def _check_maxima(asked: Asked) -> None:
    at_most("maxima.top", asked.question.top, limit=MAX_MAXIMA, otherwise=10)


def _maxima(model: GPTModel, asked: Asked) -> Arrays:
    return plain(maxima(model, asked.ids, top=asked.question.top or 10, walked=asked.walk(model)))


def _check_embedding(asked: Asked) -> None:
    at_most("embedding.count", asked.question.count, limit=MAX_MAP, otherwise=1_000)


def _embedding(model: GPTModel, asked: Asked) -> Arrays:
    ids = asked.ids or range(asked.question.count or 1_000)
    onto: EmbeddingMap | None = None
    if model is not asked.models[0]:
        onto = embedding_map(asked.models[0], ids)
    return plain(embedding_map(model, ids, onto=onto))


def _check_neighbours(asked: Asked) -> None:
    at_most("neighbours.top", asked.question.top, limit=MAX_NEIGHBOURS, otherwise=10)
    if asked.question.token >= _WORDS:
        raise InvalidArgument.field(
            "neighbours.token", f"must be a token id from 0 to {_WORDS - 1}"
        )


def _neighbours(model: GPTModel, asked: Asked) -> Arrays:
    top = asked.question.top or 10
    return plain(neighbours(model, asked.question.token, top=top, vocab_size=_WORDS))


def _check_weights(asked: Asked) -> None:
    at_most("weights.bins", asked.question.bins, limit=MAX_BINS, otherwise=40)


def _weights(model: GPTModel, asked: Asked) -> Arrays:
    return plain(weight_statistics(model, bins=asked.question.bins or 40))


def _compare_weights(asked: Asked) -> Arrays:
    one, other = asked.models
    same = [(n, p.shape) for n, p in one.named_parameters()] == [
        (n, p.shape) for n, p in other.named_parameters()
    ]
    return {"change": Array(relative_change(one, other))} if same else {}


KINDS: Mapping[str, Kind] = {
    "tokens": Kind(_check_tokens, _tokens, _compare_tokens, words=("top_ids",), patience_secs=0.25),
    "activations": Kind(_check_activations, _activations, patience_secs=0.1),
    "lens": Kind(_check_lens, _lens, words=("top_ids",), patience_secs=0.5),
    "heads": Kind(_check_heads, _heads, needs_text=False),
    "attention": Kind(check_attention, attention_arrays, compare_attention, patience_secs=0.0),
    "attribution": Kind(_check_attribution, _attribution, words=("target",)),
    "maxima": Kind(_check_maxima, _maxima),
    "embedding": Kind(_check_embedding, _embedding, needs_text=False, words=("ids",)),
    "neighbours": Kind(_check_neighbours, _neighbours, needs_text=False, words=("neighbour_ids",)),
    "weights": Kind(_check_weights, _weights, _compare_weights, needs_text=False),
}
