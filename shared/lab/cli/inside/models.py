"""`lab heads`, `lab embedding`, `lab neighbours`, `lab weights`: questions that need no text."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from lab.cli.inside.asking import Compare, Csv, MayRead, Png, Source, Tensors, ask, token_id
from lab.cli.inside.report import Report, deliver, number
from lab.client.arrays import arrays
from lab.v1 import analysis_service_pb2 as messages

_BEHAVIOURS = ("previous", "duplicate", "induction", "sink", "self")  # as HeadQuestion orders them
_BESIDE = ("entropy", "copying")
_EVIDENCE = ("", "made-up text only", "made-up and given text")


def heads(
    source: Source,
    text: MayRead = "",
    compare: Compare = None,
    as_csv: Csv = None,
    as_png: Png = None,
    as_tensors: Tensors = None,
) -> None:
    """What each attention head looks for, above chance; a name only with evidence."""
    answer = ask(source, messages.HeadQuestion(), text, compare=compare)
    found = arrays(answer.tensors)
    between = arrays(answer.differences)
    layers, count = found["label"].shape
    rows, best = [], []
    for layer, head in ((layer, head) for layer in range(layers) for head in range(count)):
        scores = found["synthetic_corrected"].part(layer, head).flat
        best.append(max(scores))
        label, evidence = (int(found[name].at(layer, head)) for name in ("label", "evidence"))
        rows.append(
            [
                f"{layer}.{head}",
                _BEHAVIOURS[label] if label >= 0 else "unlabelled",
                _EVIDENCE[evidence],
                *(number(score) for score in scores),
                *(
                    number(change, sign=True)
                    for change in (
                        between["synthetic_corrected"].part(layer, head).flat if compare else ()
                    )
                ),
                number(found["synthetic_entropy"].at(layer, head)),
                number(found["copying"].at(layer, head)),
            ]
        )
    deliver(
        answer,
        Report(
            "scores on random tokens written twice, (s - u) / (1 - u): 0 is chance, 1 always"
            + ("; change: the other model's less this one's" if compare else ""),
            [
                "head",
                "name",
                "shown by",
                *(f">{name}" for name in _BEHAVIOURS),
                *(f">{name} change" for name in _BEHAVIOURS if compare),
                *(f">{name}" for name in _BESIDE),
            ],
            rows,
            picture=[
                [max(found["synthetic_corrected"].part(layer, head).flat) for head in range(count)]
                for layer in range(layers)
            ],
        ),
        as_csv=as_csv,
        as_png=as_png,
        as_tensors=as_tensors,
    )


def embedding(
    source: Source,
    text: MayRead = "",
    count: Annotated[
        int, typer.Option(min=1, max=5_000, help="Tokens on the map when there is no text.")
    ] = 1_000,
    compare: Compare = None,
    as_csv: Csv = None,
    as_tensors: Tensors = None,
) -> None:
    """Where tokens lie in the embedding, along its three directions of largest spread."""
    answer = ask(source, messages.EmbeddingQuestion(count=count), text, compare=compare)
    found = arrays(answer.tensors)
    words = {token.id: token.text for token in answer.words}
    shares = " ".join(f"{100 * share:.1f} %" for share in found["share"].flat)
    theirs = arrays(answer.other_tensors)["points"] if compare else None
    rows = []
    for row, token in enumerate(int(each) for each in found["ids"].flat):
        here = found["points"].part(row).flat
        cells = [str(token), words[token], *(number(x, 5) for x in here)]
        if theirs is not None:
            there = theirs.part(row).flat
            cells += [*(number(x, 5) for x in there), number(math.dist(here, there), 5)]
        rows.append(cells)
    deliver(
        answer,
        Report(
            f"principal components; they show {shares} of the spread"
            + ("; the other model's are turned onto them, as near as they come" if compare else ""),
            [
                *(">id", "token", ">x", ">y", ">z"),
                *((">other x", ">other y", ">other z", ">moved") if compare else ()),
            ],
            rows,
        ),
        as_csv=as_csv,
        as_tensors=as_tensors,
    )


def neighbours(
    source: Source,
    token: Annotated[str, typer.Argument(help='Which token: its id, or its text, such as " the".')],
    top: Annotated[int, typer.Option(min=1, max=50, help="How many.")] = 10,
    compare: Compare = None,
    as_csv: Csv = None,
    as_tensors: Tensors = None,
) -> None:
    """Which tokens' embeddings point most nearly the same way as one token's."""
    question = messages.NeighbourQuestion(token=token_id(token), top=top)
    answer = ask(source, question, "", compare=compare)
    words = {one.id: one.text for one in answer.words}
    cells = []
    for tensors in (answer.tensors, answer.other_tensors) if compare else (answer.tensors,):
        found = arrays(tensors)
        pairs = zip(found["neighbour_ids"].flat, found["cosine"].flat, strict=True)
        cells.append([[str(int(each)), words[int(each)], number(way)] for each, way in pairs])
    deliver(
        answer,
        Report(
            "cosine with its embedding, 1 is the same way"
            + ("; then the same of the other model" if compare else ""),
            [
                *(">id", "token", ">cosine"),
                *((">other id", "other token", ">other cosine") if compare else ()),
            ],
            [[cell for part in row for cell in part] for row in zip(*cells, strict=True)],
        ),
        as_csv=as_csv,
        as_tensors=as_tensors,
    )


def weights(
    source: Source,
    compare: Compare = None,
    as_csv: Csv = None,
    as_png: Png = None,
    as_tensors: Tensors = None,
) -> None:
    """What every weight looks like; with --compare also how far it moved."""
    answer = ask(source, messages.WeightQuestion(), "", compare=compare)
    found = arrays(answer.tensors)
    names: tuple[str, ...] = ("mean", "deviation", "rms", "smallest", "largest", "kurtosis")
    columns = [found[name] for name in names]
    between = arrays(answer.differences)
    if "change" in between:
        names, columns = (*names, "change"), [*columns, between["change"]]
    deliver(
        answer,
        Report(
            "kurtosis is 3 for a bell curve" + _about_change(compare, told="change" in between),
            ["weight", *(f">{name}" for name in names)],
            [
                [name, *(number(column.at(row), 4) for column in columns)]
                for row, name in enumerate(answer.rows)
            ],
            picture=found["histogram"].rows(),
        ),
        as_csv=as_csv,
        as_png=as_png,
        as_tensors=as_tensors,
    )


def _about_change(compare: str | None, *, told: bool) -> str:
    if told:
        return "; change: size of the difference over size"
    return "; the other model's weights have other shapes, so there is no change" if compare else ""
