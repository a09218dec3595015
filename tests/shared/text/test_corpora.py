"""A text becomes tokens once, whole or not at all; a text that cannot be trained on is refused."""

import hashlib
import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lab.errors import Damaged, InvalidArgument, NotFound
from lab.text import Corpora, Tokenizer
from lab.v1 import corpus_pb2
from tests.shared.text.conftest import Place

Make = Callable[[bytes], Corpora]
TEXT = ("It is a truth universally acknowledged. " * 40).encode()


def test_the_tokens_are_the_texts_with_one_boundary_before(made: Make) -> None:
    corpora = made(TEXT)
    assert corpora.get("mine").state == corpus_pb2.CORPUS_STATE_ABSENT
    ready = corpora.prepare("mine")
    expected = [50_256, *Tokenizer().encode(TEXT.decode())]
    splits = corpora.open("mine", validation_fraction=0.25)
    assert [*splits.train[:], *splits.validation[:]] == expected
    assert splits.bytes_per_token == len(TEXT) / len(expected)
    assert len(splits.validation) == len(expected) // 4
    assert ready.state == corpus_pb2.CORPUS_STATE_READY
    assert ready.name == "corpora/mine"
    assert ready.tokens == ready.train_tokens + ready.validation_tokens == len(expected)
    assert ready.distinct_tokens == len(set(expected))
    shares = [count / len(expected) for count in Counter(expected).values()]
    entropy = -math.fsum(share * math.log(share) for share in shares)
    assert ready.unigram_entropy == pytest.approx(entropy)
    assert corpora.split_sizes("mine", validation_fraction=0.25) == (
        len(splits.train),
        len(splits.validation),
    )


def test_cutting_a_long_text_changes_no_token(made: Make) -> None:
    """Long texts are tokenised in parts; the cuts must fall between tokens."""
    lines = [f"line {n}:  {'word ' * (n % 9)}\n{'' if n % 5 else chr(10)}" for n in range(30_000)]
    text = "".join(lines)
    assert len(text) > 600_000
    corpora = made(text.encode())
    corpora.prepare("mine")
    splits = corpora.open("mine", validation_fraction=0.5)
    found = np.concatenate([splits.train[:], splits.validation[:]])
    assert found[1:].tolist() == Tokenizer().encode(text)


def test_progress_rises_to_the_end(made: Make) -> None:
    seen: list[tuple[str, float]] = []
    made(TEXT).prepare("mine", lambda what, share: seen.append((what, share)))
    assert [share for what, share in seen if what.startswith("tokenising")][-1] == 1.0
    assert any(what.startswith("fetching") for what, _ in seen)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b" \n\t ", "is empty or only white space"),
        (b"good text " * 20 + b"\xff\xfe", "not UTF-8 at byte offset 200"),
        ("sixteen bits ".encode("utf-16") * 20, "not UTF-8 at byte offset 0 .it looks like UTF-16"),
        (b"good text " * 20 + b"\0", "NUL byte at offset 200"),
        (b"too short", "has 3 tokens; at least 32 are needed"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(
    made: Make, place: Place, text: bytes, said: str
) -> None:
    corpora = made(text)
    with pytest.raises(InvalidArgument, match=said):
        corpora.prepare("mine")
    assert corpora.get("mine").state == corpus_pb2.CORPUS_STATE_ABSENT
    assert not (place.home / "corpora").exists() or not os.listdir(place.home / "corpora")


def test_unknown_corpora_are_named(made: Make) -> None:
    corpora = made(TEXT)
    for call in (corpora.get, corpora.prepare, corpora.preview):
        with pytest.raises(NotFound, match='"mime" is not known; did you mean mine'):
            call("mime")


def test_special_text_in_a_corpus_is_text(made: Make) -> None:
    corpora = made(b"before<|endoftext|>after " * 30)
    corpora.prepare("mine")
    train = corpora.open("mine", validation_fraction=0.1).train
    assert train[:].tolist().count(50_256) == 1


def test_a_preview_is_the_beginning_of_the_text(made: Make) -> None:
    corpus, text = made("é".encode() * 3_000).preview("mine")
    assert text == "é" * 2_000
    assert corpus.state == corpus_pb2.CORPUS_STATE_READY


def test_a_cut_token_file_is_noticed_and_made_again(made: Make, place: Place) -> None:
    corpora = made(TEXT)
    whole = corpora.prepare("mine")
    file = place.home / "corpora" / "mine" / "tokens-00000.bin"
    file.write_bytes(file.read_bytes()[:-2])
    with pytest.raises(Damaged, match="lab corpora prepare mine"):
        corpora.open("mine", validation_fraction=0.1)
    assert corpora.prepare("mine") == whole
    corpora.open("mine", validation_fraction=0.1)


def test_a_corpus_of_the_first_format_is_rebuilt(made: Make, place: Place) -> None:
    corpora, folder = made(TEXT), place.home / "corpora" / "mine"
    folder.mkdir(parents=True)
    (folder / "tokens.bin").write_bytes(b"\1\0" * 40)
    sha256 = hashlib.sha256(TEXT).hexdigest()
    (folder / "manifest.json").write_text(
        f'{{"format": 1, "corpus": "mine", "tokens": 40, "text_sha256": "{sha256}"}}'
    )
    assert corpora.get("mine").state == corpus_pb2.CORPUS_STATE_ABSENT
    assert corpora.prepare("mine").state == corpus_pb2.CORPUS_STATE_READY
    assert not (folder / "tokens.bin").exists()


def test_half_a_folder_and_an_older_text_are_replaced(made: Make, place: Place) -> None:
    corpora = made(TEXT)
    (place.home / "corpora" / "mine").mkdir(parents=True)
    (place.home / "corpora" / "mine" / "tokens.bin").write_bytes(b"rest of something")
    first = corpora.prepare("mine")
    newer = made(TEXT + b"And a new sentence.")
    assert newer.get("mine").state == corpus_pb2.CORPUS_STATE_ABSENT
    assert newer.prepare("mine").tokens > first.tokens
    assert os.listdir(place.home / "corpora") == ["mine"]


def test_several_processes_may_prepare_at_once(made: Make, place: Place) -> None:
    made(TEXT * 50)
    program = (
        "import sys; from pathlib import Path; from lab.text import Assets, Corpora\n"
        "home, mirror, catalogue = map(Path, sys.argv[1:])\n"
        "assets = Assets(home / 'assets', mirror, catalogue=catalogue / 'assets')\n"
        "corpora = Corpora(home / 'corpora', assets, catalogue=catalogue / 'corpora')\n"
        "print(corpora.prepare('mine').tokens)\n"
    )
    command = [sys.executable, "-c", program, place.home, place.mirror, place.catalogue]
    processes = [
        subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(set(answers)) == 1
    assert os.listdir(place.home / "corpora") == ["mine"]


def test_text_and_spec_never_load_torch(tmp_path: Path) -> None:
    program = (
        "import sys, lab.text, lab.spec; lab.spec.load_presets();"
        "print([name for name in ('torch', 'grpc', 'nats') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
