"""Cuts texts into batches that can be tokenised apart, without changing a token.

GPT-2's word pattern decides where a token may end. Two places are always the end of one: before a
single space or newline between two words, and before a punctuation mark after a letter or digit.
"""

import re
from collections.abc import Iterable, Iterator

from lab.text.documents import Piece

BATCH_CHARACTERS = 1 << 18

# Python's idea of white space is wider than the pattern's, so these find fewer places, never more.
_BETWEEN_WORDS = re.compile(r"(?<=\S)[ \n](?=\S)")
_BEFORE_PUNCTUATION = re.compile(r"(?<=[^\W_])(?=[^\w\s])")


def batches(
    pieces: Iterable[Piece], *, characters: int = BATCH_CHARACTERS
) -> Iterator[list[Piece]]:
    """The same text in lists of about so many characters: long documents cut, short ones joined."""
    batch: list[Piece] = []
    size = 0
    for piece in _cut(pieces, characters):
        batch.append(piece)
        size += len(piece.text)
        if size >= characters:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _cut(pieces: Iterable[Piece], characters: int) -> Iterator[Piece]:
    held, begins = "", False
    for piece in pieces:
        if piece.begins:
            if held:
                yield Piece(held, begins)
            held, begins = piece.text, True
        else:
            held += piece.text
        while len(held) >= 2 * characters:
            place = cut_place(held, characters, 2 * characters)
            yield Piece(held[:place], begins)
            held, begins = held[place:], False
    if held:
        yield Piece(held, begins)


def cut_place(text: str, first: int, last: int) -> int:
    """Where to cut, from `first` to before `last`.

    A text without one of the two places in all that length (a million spaces, a thousand pages of
    letters without a mark) is cut anyway: it still decodes to the same text.
    """
    for place in (_BETWEEN_WORDS, _BEFORE_PUNCTUATION):
        if found := place.search(text, first, last):
            return found.start()
    return last - 1
