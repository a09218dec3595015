"""A user's own text becomes a corpus; what cannot is refused with the place where it is."""

import json
import os
import socket
from pathlib import Path

import pytest

from lab.errors import AlreadyExists, Damaged, InvalidArgument, NotFound
from lab.text import Corpora, DocumentReader, Tokenizer, find_texts
from lab.v1 import corpus_pb2
from lab.v1.corpus_pb2 import Corpus
from tests.shared.text.conftest import Place

STORY = "Once upon a time there was a lighthouse keeper who counted waves. " * 8


def add(corpora: Corpora, *paths: Path, name: str = "mine", field: str = "text") -> Corpus:
    return corpora.add(name, DocumentReader(find_texts(paths).files, field=field))


def lines(path: Path, *texts: str, field: str = "text") -> Path:
    path.write_text("".join(json.dumps({"id": n, field: t}) + "\n" for n, t in enumerate(texts)))
    return path


def stream(corpora: Corpora, name: str = "mine") -> list[int]:
    splits = corpora.open(name, validation_fraction=0.1)
    return [*splits.train[:].tolist(), *splits.validation[:].tolist()]


def test_a_folder_of_texts_and_lines_is_one_corpus(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    (folder / "deep").mkdir(parents=True)
    (folder / "b.txt").write_text(STORY)
    (folder / "deep" / "a.txt").write_text("second")
    (folder / "notes.pdf").write_bytes(b"%PDF")
    (folder / "empty.txt").write_text("")
    lines(folder / "c.jsonl", "first <|endoftext|> line", " ", "second line")
    found = find_texts([folder])
    reader = DocumentReader(found.files)
    added = place.corpora().add("mine", reader, title="Mine", licence="mine")
    encode = Tokenizer().encode
    expected: list[int] = []
    for text in (STORY, "first <|endoftext|> line", "second line", "second"):
        expected += [50_256, *encode(text)]
    assert stream(place.corpora()) == expected
    assert (added.documents, added.tokens, added.added) == (4, len(expected), True)
    assert (found.left_out, reader.empty_documents) == (1, 2)
    assert added.text_bytes == len(STORY + "first <|endoftext|> line" + "second line" + "second")
    assert added.distinct_tokens == len(set(expected))
    assert added.vocabulary_share == added.distinct_tokens / 50_257
    assert [each.preset for each in added.tokens_per_parameter] == ["nano", "small", "medium"]
    nano = added.tokens_per_parameter[0].tokens_per_parameter
    assert nano == pytest.approx(added.train_tokens / 9_940_000, rel=0.01)


def test_an_added_corpus_is_seen_at_once_and_can_go_again(place: Place, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(STORY)
    place.corpus("shipped", STORY.encode())
    other = place.corpora()  # as in the trainer: made before, another process in truth
    assert list(other.ids()) == ["shipped"]
    add(place.corpora(), tmp_path / "a.txt")
    assert list(other.ids()) == ["mine", "shipped"]
    assert other.get("mine").state == corpus_pb2.CORPUS_STATE_READY
    assert other.preview("mine")[1] == STORY[:2_000]
    with pytest.raises(AlreadyExists, match="lab corpora remove mine"):
        add(place.corpora(), tmp_path / "a.txt")
    with pytest.raises(AlreadyExists, match="called shipped"):
        add(place.corpora(), tmp_path / "a.txt", name="shipped")
    place.corpora().remove("mine")
    assert list(other.ids()) == ["shipped"]
    assert os.listdir(place.home / "corpora") == []
    with pytest.raises(NotFound, match="known are shipped"):
        other.get("mine")
    with pytest.raises(InvalidArgument, match="comes with the lab"):
        other.remove("shipped")


def test_a_damaged_added_corpus_is_never_thrown_away(place: Place, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(STORY)
    corpora = place.corpora()
    add(corpora, tmp_path / "a.txt")
    file = place.home / "corpora" / "mine" / "tokens-00000.bin"
    file.write_bytes(b"\1" + file.read_bytes()[1:])
    with pytest.raises(Damaged, match=r"header of tokens-00000\.bin"):
        corpora.prepare("mine")
    assert file.exists()
    assert "mine" in corpora.ids()


def test_a_byte_order_mark_is_left_out_and_windows_line_ends_stay(
    place: Place, tmp_path: Path
) -> None:
    text = STORY + "\r\n" + STORY
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf" + text.encode())
    reader = DocumentReader(find_texts([tmp_path / "a.txt"]).files)
    place.corpora().add("mine", reader)
    assert (reader.byte_order_marks, reader.files_with_crlf) == (1, 1)
    assert Tokenizer().decode(stream(place.corpora())[1:]) == text


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty or only white space"),
        (b" \n\t " * 9, "is empty or only white space"),
        (STORY.encode() + b"\xe9t\xe9", f"not UTF-8 at byte offset {len(STORY)} .invalid cont"),
        (STORY.encode() + b"\xe2\x82", f"not UTF-8 at byte offset {len(STORY)} .unexpected end"),
        (b"\xef\xbb\xbf" + b"ab\xff", "not UTF-8 at byte offset 5"),
        (b"a" * 1_048_575 + "é".encode() + b"\xff", "not UTF-8 at byte offset 1,048,577"),
        (b"\x1f\x8b\x08\0\0", "NUL byte at offset 3"),
        (b"\xed\xa0\x80", "not UTF-8 at byte offset 0"),
        (b"too short", "has 3 tokens; at least 32"),
    ],
)
def test_bad_texts_are_refused(place: Place, tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(InvalidArgument, match=said):
        add(place.corpora(), tmp_path / "a.txt")
    assert list(place.corpora().ids()) == []
    assert os.listdir(place.home / "corpora") == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"text": "x"', r"line 2 \(byte offset 17\) is not JSON"),
        (b'["x"]', "is not an object"),
        (b'{"body": "x", "n": 1}', 'no text field "text"; its text fields are body; .*--field'),
        (b'{"text": 5}', "nor any other; each line must hold its text"),
        (b'{"text": "a\\u0000"}', "holds a NUL character"),
        (b'{"text": "a\\ud800"}', r"half of a surrogate pair \(\\ud800"),
        (b'{"text": "\xff"}', "not UTF-8 at byte offset 27"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"text": "' + b"x" * (32 << 20), "is longer than 32 MB"),
    ],
)
def test_bad_lines_are_refused(place: Place, tmp_path: Path, line: bytes, said: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "good"}\n' + line + b"\n")
    with pytest.raises(InvalidArgument, match=said):
        add(place.corpora(), tmp_path / "a.jsonl")
    assert os.listdir(place.home / "corpora") == []


def test_the_text_may_lie_in_another_field(place: Place, tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", STORY, "two", field="body")
    assert add(place.corpora(), path, field="body").documents == 2


def test_only_plain_files_are_read(place: Place, tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text(STORY)
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    (tmp_path / "folder-link").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.txt"))
    (tmp_path / "a.gz").write_bytes(b"\x1f\x8b")
    (tmp_path / "bare").mkdir()
    for path, said in (
        (tmp_path / "link.txt", "is a symbolic link"),
        (tmp_path / "folder-link", "is a symbolic link"),
        (tmp_path / "pipe.txt", "is a pipe"),
        (tmp_path / "socket.txt", "is a socket"),
        (Path("/dev/zero"), "is a device"),
        (tmp_path / "none.txt", "cannot be read .No such file"),
        (tmp_path / "nul\0.txt", "its name holds a NUL"),
        (tmp_path / "a.gz", "is not a text"),
        (tmp_path / "bare", "holds no text"),
    ):
        with pytest.raises(InvalidArgument, match=said):
            find_texts([path])
    with pytest.raises(InvalidArgument, match=r"link.txt: is a symbolic link"):
        find_texts([tmp_path])


def test_a_file_that_becomes_something_else_is_refused(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(STORY)
    reader = DocumentReader(find_texts([path]).files)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InvalidArgument, match="is a pipe"):
        place.corpora().add("mine", reader)
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(InvalidArgument, match="is a symbolic link"):
        place.corpora().add("mine", reader)


def test_a_file_that_changes_while_it_is_read_is_refused(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(STORY * 4_000)  # more than one block
    reader = DocumentReader(find_texts([path]).files)
    pieces = reader.pieces()
    next(pieces)
    with path.open("a") as more:
        more.write("and more")
    with pytest.raises(InvalidArgument, match=r"a.txt: changed while it was read"):
        list(pieces)


MARK = "<|endoftext|>"


@pytest.mark.parametrize("block_bytes", [1, 7, 64, 1 << 20])
def test_a_separator_parts_the_documents_of_a_text(
    tmp_path: Path, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever a block ends, in a separator too."""
    monkeypatch.setattr("lab.text.documents.BLOCK_BYTES", block_bytes)
    stories = ["One  day,\n\nlater.", "Two < three <|end", STORY.strip(), "Fünf\nsechs"]
    text = f"\n{MARK}\n{stories[0]}\n{MARK}\n {stories[1]}{MARK}{MARK}\n\n".join(["", stories[2]])
    (tmp_path / "a.txt").write_text(f"{text}\n{MARK}\n{stories[3]} \n")
    reader = DocumentReader(find_texts([tmp_path / "a.txt"]).files, separator=MARK)
    documents: list[str] = []
    for piece in reader.pieces():
        assert MARK not in piece.text
        if piece.begins:
            documents.append("")
        documents[-1] += piece.text
    assert documents == stories
    assert reader.empty_documents == 2
