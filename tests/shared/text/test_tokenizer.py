"""Any text goes to ids and back; nothing in a text is ever a command."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import InvalidArgument
from lab.text import Tokenizer

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer()


@given(text=TEXT)
def test_any_text_comes_back(text: str) -> None:
    tokenizer = Tokenizer()
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode_bytes(ids) == text.encode()
    assert all(0 <= token < tokenizer.vocab_size for token in ids)
    assert tokenizer.eot not in ids


def test_it_is_gpt2s(tokenizer: Tokenizer) -> None:
    """Ids as GPT-2's own encoder gives them."""
    assert tokenizer.encode("Hello, world. Is this-- a test?") == GPT2_IDS
    assert tokenizer.encode("   \n\n  x") == [220, 220, 220, 628, 220, 2124]
    assert tokenizer.vocab_size == 50_257


GPT2_IDS = [15496, 11, 995, 13, 1148, 428, 438, 257, 1332, 30]


def test_special_text_is_text(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("a<|endoftext|>b")
    assert tokenizer.eot not in ids
    assert len(ids) > 3
    assert tokenizer.decode([*ids, tokenizer.eot]) == "a<|endoftext|>b<|endoftext|>"


def test_pieces_show_partial_characters_as_bytes(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("é 🤗")
    pieces = tokenizer.pieces(ids)
    assert pieces[0] == "é"
    assert len(pieces) == len(ids)
    assert all("\\x" in piece for piece in pieces[1:])
    assert tokenizer.decode(ids[:-1]).endswith("\ufffd")


@pytest.mark.parametrize("token", [-1, 50_257])
def test_ids_that_do_not_exist_are_refused(tokenizer: Tokenizer, token: int) -> None:
    for call in (tokenizer.decode, tokenizer.pieces, tokenizer.decode_bytes):
        with pytest.raises(InvalidArgument, match="50,256"):
            call([5, token])


@given(text=TEXT)
def test_words_and_merges_give_what_the_encoder_gives(text: str) -> None:
    tokenizer = Tokenizer()
    words = tokenizer.words(text)
    assert b"".join(words) == text.encode()
    for word in words:
        pieces = {at: word[at : at + 1] for at in range(len(word))}
        for merge in tokenizer.merges(word):
            pieces[merge.start] += pieces.pop(merge.middle)
            assert pieces[merge.start] == word[merge.start : merge.end]
            assert tokenizer.decode_bytes([merge.token]) == pieces[merge.start]
        left = [pieces[at] for at in sorted(pieces)]
        ids = tokenizer.encode(word.decode())
        assert left == [tokenizer.decode_bytes([token]) for token in ids]
    joined = [token for word in words for token in tokenizer.encode(word.decode())]
    assert joined == tokenizer.encode(text)


def test_merges_are_made_in_the_order_in_which_they_were_learned(tokenizer: Tokenizer) -> None:
    made = [tokenizer.decode([merge.token]) for merge in tokenizer.merges(b" thinking")]
    assert made == [" t", "in", "in", "ing", " th", "ink", " think", " thinking"]
    # Of equal pairs the leftmost first.
    assert [merge.start for merge in tokenizer.merges(b"aaaa")] == [0, 2, 0]
    assert tokenizer.merges(b"") == tokenizer.merges(b"a") == []
