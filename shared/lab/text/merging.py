"""How one word becomes tokens, step by step: byte-pair encoding itself (book, section 2.5).

tiktoken does this faster than anyone could here; this is for looking at. A test holds the two to
each other.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Merge:
    """Bytes start:middle and middle:end of a word became one piece, which is a token."""

    start: int
    middle: int
    end: int
    token: int


def merges_of(word: bytes, token_of: Callable[[bytes], int | None]) -> list[Merge]:
    """Every merge in the order in which they are made. `token_of`: the id of bytes, if they are a
    token.

    At first each byte is a piece. Of all neighbours that together are a token, the pair with the
    lowest id is joined, because ids were given in the order in which pairs were learned: the most
    frequent first. Of equal pairs the leftmost goes first. This is done until no two neighbours are
    a token; what remains are the word's tokens.
    """
    end_of = {at: at + 1 for at in range(len(word))}  # the pieces, by their first byte
    start_of = {end: start for start, end in end_of.items()}  # the same, by where they end
    candidates: list[tuple[int, int, int, int]] = []

    def consider(start: int, middle: int, end: int) -> None:
        token = token_of(word[start:end])
        if token is not None:
            heapq.heappush(candidates, (token, start, middle, end))

    for at in range(len(word) - 1):
        consider(at, at + 1, at + 2)
    merges = []
    while candidates:
        token, start, middle, end = heapq.heappop(candidates)
        if end_of.get(start) != middle or end_of.get(middle) != end:
            continue  # one of the two was joined to something else in the meantime
        merges.append(Merge(start, middle, end, token))
        end_of[start], start_of[end] = end, start
        del end_of[middle], start_of[middle]
        if end in end_of:
            consider(start, end, end_of[end])
        if start in start_of:
            consider(start_of[start], start, end)
    return merges
