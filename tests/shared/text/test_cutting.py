"""Texts are cut and joined for the processes; no token may know."""

from hypothesis import given
from hypothesis import strategies as st

from lab.text import Tokenizer
from lab.text.cutting import batches, cut_place
from lab.text.documents import Piece

TOKENIZER = Tokenizer()
# What the word pattern looks at: spaces of all kinds, quotes, letters, digits, marks, scripts.
LETTERS = st.sampled_from(
    [*"ab'sS  \n\n\r\t019.,_-!\x1c\x85", "\u00a0", "\u3000", "é", "e\u0301", "中", "²", "🤗", "ب"]
)
WORDS = st.sampled_from([" don't", "'s", "\n\n", "  ", " the", "x", "12", "...", " 'll", "A.B"])
TEXT = st.lists(st.one_of(LETTERS, WORDS), max_size=120).map("".join)


def has_a_place(text: str, size: int) -> bool:
    """Whether every stretch that must hold a cut has one, so that none is forced."""
    return all(
        cut_place(text[start:], size, 2 * size) != 2 * size - 1
        for start in range(max(0, len(text) - 2 * size + 1))
    )


@given(documents=st.lists(TEXT.filter(bool), min_size=1, max_size=6), size=st.integers(4, 24))
def test_the_tokens_are_those_of_the_whole_documents(documents: list[str], size: int) -> None:
    found: list[list[int]] = []
    pieces = [Piece(text, begins=True) for text in documents]
    for batch in batches(pieces, characters=size):
        for piece in batch:
            if piece.begins:
                found.append([])
            found[-1] += TOKENIZER.encode(piece.text)
    for ids, text in zip(found, documents, strict=True):
        assert TOKENIZER.decode(ids) == text
        if has_a_place(text, size):
            assert ids == TOKENIZER.encode(text)


@given(text=TEXT.filter(bool), blocks=st.integers(1, 9), size=st.integers(4, 24))
def test_the_blocks_a_text_was_read_in_do_not_matter(text: str, blocks: int, size: int) -> None:
    step = -(-len(text) // blocks)
    pieces = [Piece(text[at : at + step], at == 0) for at in range(0, len(text), step)]
    whole = list(batches([Piece(text, begins=True)], characters=size))
    assert list(batches(pieces, characters=size)) == whole


def test_short_documents_share_a_batch_and_long_ones_are_cut() -> None:
    short = [Piece("abc ", begins=True)] * 10
    assert [len(batch) for batch in batches(short, characters=20)] == [5, 5]
    (first, *others) = batches([Piece("word " * 100, begins=True)], characters=20)
    assert first[0].begins
    assert not any(piece.begins for batch in others for piece in batch)
    assert all(len(batch[0].text) <= 40 for batch in [first, *others])
    endless = batches([Piece("x" * 1_000, begins=True)], characters=20)
    assert all(len(batch[0].text) <= 40 for batch in endless)
