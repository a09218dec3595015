"""`lab tokens`, `lens`, `activations`, `votes` and `maxima`: questions about a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from lab.cli.inside.asking import Compare, Csv, Png, Read, Source, Start, Tensors, ask
from lab.cli.inside.report import Report, deliver, number, probability
from lab.client.arrays import Numbers, arrays
from lab.v1 import analysis_service_pb2 as messages
from lab.v1.analysis_service_pb2 import AnalyseResponse

Top = Annotated[int, typer.Option(min=1, max=20, help="Likeliest tokens to tell.")]


def tokens(
    source: Source,
    text: Read,
    top: Top = 5,
    start: Start = False,
    compare: Compare = None,
    as_csv: Csv = None,
    as_png: Png = None,
    as_tensors: Tensors = None,
) -> None:
    """How surprised the model is by each token, and what it thought likelier."""
    question = messages.TokenQuestion(top=top)
    answer = ask(source, question, text, compare=compare, start=start)
    found = arrays(answer.tensors)
    between = arrays(answer.differences)
    likeliest = _likeliest(answer, found["top_ids"], found["top_probabilities"])
    rows = []
    for place, token in enumerate(answer.tokens):
        expected = likeliest[place - 1] if place else ""
        row = [token.text, number(found["loss"].at(place)), "", expected]
        if place:
            row[2] = str(int(found["rank"].at(place)))
        if compare:
            row[2:2] = [number(between["loss"].at(place)), number(between["kl"].at(place))]
        rows.append(row)
    headings = ["token", ">loss", ">rank", "expected"]
    if compare:
        headings[2:2] = [">other less this", ">kl after it"]
    losses = [value for value in found["loss"].flat if value == value]  # not NaN
    mean = f"; {sum(losses) / len(losses):.3f} on average" if losses else ""
    deliver(
        answer,
        Report(
            f"loss in nats{mean}; rank: tokens thought likelier",
            headings,
            rows,
            picture=[list(found["loss"].flat)],
        ),
        as_csv=as_csv,
        as_png=as_png,
        as_tensors=as_tensors,
    )


def lens(
    source: Source,
    text: Read,
    top: Top = 1,
    start: Start = False,
    compare: Compare = None,
    as_csv: Csv = None,
    as_png: Png = None,
    as_tensors: Tensors = None,
) -> None:
    """What would be predicted after each layer: a row per layer, a column per token."""
    answer = ask(source, messages.LensQuestion(top=top), text, compare=compare, start=start)
    found = arrays(answer.tensors)
    layers = found["entropy"].shape[0]
    models = [("", found)]
    if compare:
        models.append((", other", arrays(answer.other_tensors)))
    rows = [
        [
            ("embedding" if layer == 0 else f"after {layer - 1}") + whose,
            *_likeliest(answer, said["top_ids"].part(layer), said["top_probabilities"].part(layer)),
        ]
        for layer in range(layers)
        for whose, said in models
    ]
    deliver(
        answer,
        Report(
            "the likeliest next token and its probability; the last row is what the model says",
            ["layer", *(token.text for token in answer.tokens)],
            rows,
            picture=found["next_probability"].rows(),
            root=True,
        ),
        as_csv=as_csv,
        as_png=as_png,
        as_tensors=as_tensors,
    )


def activations(
    source: Source,
    text: Read,
    start: Start = False,
    compare: Compare = None,
    as_csv: Csv = None,
    as_png: Png = None,
    as_tensors: Tensors = None,
) -> None:
    """How large the residual stream of each token is after each addition."""
    answer = ask(source, messages.ActivationQuestion(), text, compare=compare, start=start)
    found = arrays(answer.differences if compare else answer.tensors)
    layers = found["post_ffn"].shape[0]
    norms = [("embedding", found["embedding"])]
    for layer in range(layers):
        norms.append((f"{layer} after attention", found["post_attention"].part(layer)))
        norms.append((f"{layer} after feed-forward", found["post_ffn"].part(layer)))
    deliver(
        answer,
        Report(
            ("the other model's less this one's: " if compare else "")
            + "Euclidean norm of the residual stream, by place in the network and token",
            ["place", *(f">{token.text}" for token in answer.tokens)],
            [
                [name, *(number(value, 2, sign=bool(compare)) for value in row.flat)]
                for name, row in norms
            ],
            picture=[list(row.flat) for _, row in norms],
        ),
        as_csv=as_csv,
        as_png=as_png,
        as_tensors=as_tensors,
    )


def votes(
    source: Source,
    text: Read,
    position: Annotated[
        int | None, typer.Option(min=0, help="The token after which to look; default the last.")
    ] = None,
    target: Annotated[
        int | None, typer.Option(min=0, help="Token id to explain; default the likeliest.")
    ] = None,
    against: Annotated[int | None, typer.Option(min=0, help="Token id to compare with.")] = None,
    start: Start = False,
    compare: Compare = None,
    as_csv: Csv = None,
    as_png: Png = None,
    as_tensors: Tensors = None,
) -> None:
    """Which parts of the model vote for a token: its score, taken apart."""
    question = messages.AttributionQuestion(position=position, target=target, against=against)
    answer = ask(source, question, text, compare=compare, start=start)
    found = arrays(answer.tensors)
    words = {token.id: token.text for token in answer.words}
    layers, heads = found["heads"].shape
    parts = [(name, found[name].at(0)) for name in ("token", "place", "biases")]
    parts += [(f"feed-forward {layer}", found["ffn"].at(layer)) for layer in range(layers)]
    parts += [
        (f"head {layer}.{head}", found["heads"].at(layer, head))
        for layer in range(layers)
        for head in range(heads)
    ]
    between = arrays(answer.differences)
    changed = {name: between[name].at(0) for name in ("token", "place", "biases") if compare}
    changed |= {f"feed-forward {n}": between["ffn"].at(n) for n in range(layers) if compare}
    changed |= {
        f"head {layer}.{head}": between["heads"].at(layer, head)
        for layer in range(layers)
        for head in range(heads)
        if compare
    }
    parts.sort(key=lambda part: -abs(part[1]))
    score = found["score"].at(0)
    target_id = int(found["target"].at(0))
    elsewhere = int(arrays(answer.other_tensors)["target"].at(0)) if compare else target_id
    note = (
        f"; the other model's are for {words[elsewhere]!r}, its own likeliest: --target {target_id}"
        " compares like with like"
        if elsewhere != target_id
        else ""
    )
    deliver(
        answer,
        Report(
            f"{words[target_id]!r} has score {score:.3f}; the parts add up to it{note}",
            ["part", ">vote", *([">other less this"] if compare else [])],
            [
                [name, number(vote), *([number(changed[name], sign=True)] if compare else [])]
                for name, vote in parts
            ],
            picture=found["heads"].rows(),
        ),
        as_csv=as_csv,
        as_png=as_png,
        as_tensors=as_tensors,
    )


def maxima(
    source: Source,
    text: Read,
    top: Annotated[int, typer.Option(min=1, max=50, help="How many of each layer.")] = 3,
    start: Start = False,
    compare: Compare = None,
    as_csv: Csv = None,
    as_tensors: Tensors = None,
) -> None:
    """The neurons that answer most strongly, and the largest numbers of the stream."""
    answer = ask(source, messages.MaximaQuestion(top=top), text, compare=compare, start=start)
    mine = _largest(answer, arrays(answer.tensors))
    theirs = _largest(answer, arrays(answer.other_tensors)) if compare else {}
    # Of two models of other depths each has rows the other lacks.
    places = sorted({**mine, **theirs})
    blank = ("", "", "")
    deliver(
        answer,
        Report(
            "neurons by what they answer, the stream's numbers by size; stream 0 is the embedding"
            + ("; then the same of the other model" if compare else ""),
            [
                *("what", ">layer", ">index", "token", ">value"),
                *((">other index", "other token", ">other value") if compare else ()),
            ],
            [
                [
                    kind,
                    str(layer),
                    *mine.get((kind, layer, place), blank),
                    *(theirs.get((kind, layer, place), blank) if compare else ()),
                ]
                for kind, layer, place in places
            ],
        ),
        as_csv=as_csv,
        as_tensors=as_tensors,
    )


def _largest(
    answer: AnalyseResponse, found: Mapping[str, Numbers]
) -> Mapping[tuple[str, int, int], tuple[str, str, str]]:
    """By kind, layer and place in the order: its index, its token and its value."""
    cells = {}
    for kind in ("neuron", "stream"):
        layers, count = found[f"{kind}_values"].shape
        for layer, place in ((layer, place) for layer in range(layers) for place in range(count)):
            token = answer.tokens[int(found[f"{kind}_places"].at(layer, place))].text
            index = int(found[f"{kind}_ids"].at(layer, place))
            value = number(found[f"{kind}_values"].at(layer, place))
            cells[kind, layer, place] = (str(index), token, value)
    return cells


def _likeliest(answer: AnalyseResponse, ids: Numbers, probabilities: Numbers) -> Sequence[str]:
    """By place: the texts of (T, top) ids with their probabilities."""
    words: Mapping[int, str] = {token.id: token.text for token in answer.words}
    places, top = ids.shape
    return [
        ", ".join(
            f"{words[int(ids.at(place, n))]!r} {probability(probabilities.at(place, n))}"
            for n in range(top)
        )
        for place in range(places)
    ]
