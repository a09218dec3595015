"""`lab corpora`: the texts on this machine that can be trained on."""

from __future__ import annotations

import re
import time
import unicodedata
from pathlib import Path
from typing import Annotated

import typer

from lab import names
from lab.cli.output import answers, json_of, pairs, size, table
from lab.cli.progress import Steps
from lab.errors import InvalidArgument
from lab.text import Corpora, DocumentReader, find_texts
from lab.v1.corpus_pb2 import Corpus, CorpusSplit, CorpusState

app = typer.Typer(help="The texts of this machine's lab.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="CORPUS", help="As in tiny-shakespeare.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print ProtoJSON, as the REST interface.")]


@app.command("list")
def list_corpora(as_json: AsJson = False) -> None:
    """List every corpus and whether it is ready."""
    found = Corpora.at_home().list()
    if as_json:
        return json_of(found)
    table(
        ("corpus", "state", ">text", ">tokens", "title"),
        [
            (
                _id(corpus),
                _state(corpus),
                size(corpus.text_bytes) if corpus.text_bytes else "–",
                f"{corpus.tokens:,}" if corpus.tokens else "–",
                corpus.title,
            )
            for corpus in found
        ],
    )


@app.command()
def show(corpus: Name, as_json: AsJson = False) -> None:
    """Show one corpus."""
    found = Corpora.at_home().get(corpus.removeprefix("corpora/"))
    if as_json:
        return json_of(found)
    per_parameter = ", ".join(
        f"{each.preset} {each.tokens_per_parameter:,.3g}" for each in found.tokens_per_parameter
    )
    pairs(
        [
            ("corpus", _id(found)),
            ("title", found.title),
            ("what it is", found.description or "–"),
            ("licence", found.licence),
            ("state", _state(found)),
            ("text", f"{found.text_bytes:,} bytes"),
            ("documents", f"{found.documents:,}"),
            ("tokens", f"{found.tokens:,}"),
            ("train", f"{found.train_tokens:,}"),
            ("validation", f"{found.validation_tokens:,} ({_split(found)})"),
            (
                "vocabulary",
                f"{found.distinct_tokens:,} of the tokenizer's tokens, "
                f"{found.vocabulary_share:.1%}",
            ),
            ("tokens per parameter", per_parameter or "–"),
            ("sha256", found.sha256),
        ]
    )


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it, as in my-novel.")],
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="Files (.txt, .md: a document each; .jsonl: one a line), folders.",
        ),
    ],
    field: Annotated[str, typer.Option(help="Name of the text in each line of .jsonl.")] = "text",
    separator: Annotated[
        str, typer.Option(help="What stands between the documents of a .txt, as <|endoftext|>.")
    ] = "",
    title: Annotated[str, typer.Option(help="What people call it.")] = "",
    description: Annotated[str, typer.Option(help="What it is, in a sentence.")] = "",
    licence: Annotated[str, typer.Option(help="Licence of the text.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a corpus of your own text."""
    corpus = _new_id(name)
    found = find_texts(paths)
    reader = DocumentReader(found.files, field=field, separator=separator)
    began = time.monotonic()
    with Steps() as steps:
        added = Corpora.at_home().add(
            corpus,
            reader,
            title=title,
            description=description,
            licence=licence,
            progress=steps.show,
        )
    if as_json:
        return json_of(added)
    secs = time.monotonic() - began
    documents = "1 document" if added.documents == 1 else f"{added.documents:,} documents"
    answers.print(
        f"{corpus} is ready: {added.tokens:,} tokens of {documents}, "
        f"{size(added.text_bytes)} in {secs:.1f} s ({size(int(added.text_bytes / secs))}/s)"
    )
    for count, what in (
        (reader.empty_documents, "empty documents were left out"),
        (found.left_out, "files of other kinds were left out"),
        (reader.byte_order_marks, "byte-order marks were left out"),
        (reader.files_with_crlf, "files have Windows line ends (CR LF), which were kept"),
    ):
        if count:
            answers.print(f"note: {count:,} {what}")
    answers.print(f"train on it with: lab train --config nano --corpus {corpus}")


@app.command()
def remove(
    corpus: Name, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> None:
    """Delete a corpus that was added; the files it was made of stay."""
    corpora, known = Corpora.at_home(), corpus.removeprefix("corpora/")
    there = corpora.get(known)
    if there.added and not yes:
        typer.confirm(f"Delete {known} ({there.tokens:,} tokens)?", abort=True)
    corpora.remove(known)
    answers.print(f"removed {known}")


@app.command()
def prepare(corpus: Name) -> None:
    """Fetch and tokenise a corpus, so that a run can start at once."""
    with Steps() as steps:
        ready = Corpora.at_home().prepare(corpus.removeprefix("corpora/"), steps.show)
    answers.print(f"{_id(ready)} is ready: {ready.tokens:,} tokens")


def _id(corpus: Corpus) -> str:
    return corpus.name.removeprefix("corpora/")


def _state(corpus: Corpus) -> str:
    return CorpusState.Name(corpus.state).removeprefix("CORPUS_STATE_").lower()


def _split(corpus: Corpus) -> str:
    word = CorpusSplit.Name(corpus.split).removeprefix("CORPUS_SPLIT_").lower()
    return {"position": "the end of the text", "document": "whole documents"}.get(word, "–")


# Names that some systems keep for themselves, whatever the folder.
_DEVICES = re.compile(r"con|prn|aux|nul|(?:com|lpt)[0-9]")


def _new_id(name: str) -> str:
    """The name if it can be one; else the error offers the nearest that can."""
    if _DEVICES.fullmatch(name):
        raise InvalidArgument.field("name", f"{name} is the name of a device; choose another")
    try:
        return names.check_id("name", name)
    except InvalidArgument as error:
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
        near = re.sub(r"[^a-z0-9]+", "-", plain).strip("-0123456789")[:63].strip("-")
        hint = f"; {near} would do, with --title for what people call it" if near else ""
        raise InvalidArgument.field("name", f"{error.violations[0].description}{hint}") from None
