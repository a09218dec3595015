"""`lab corpora`: the texts on this machine that can be trained on."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.cli.output import answers, json_of, pairs, size, table
from lab.cli.progress import Steps
from lab.text import Corpora
from lab.v1.corpus_pb2 import Corpus, CorpusState

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
    pairs(
        [
            ("corpus", _id(found)),
            ("title", found.title),
            ("what it is", found.description),
            ("licence", found.licence),
            ("state", _state(found)),
            ("tokens", f"{found.tokens:,}"),
            ("train", f"{found.train_tokens:,}"),
            ("validation", f"{found.validation_tokens:,}"),
            ("distinct", f"{found.distinct_tokens:,}"),
            ("sha256", found.sha256),
        ]
    )


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
