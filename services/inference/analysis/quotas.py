"""What a question may cost, checked before anything is computed; a refusal names what fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lab.errors import InvalidArgument, OverLimit

MAX_ANSWER_BYTES = 6 << 20  # below the 8 MiB that a message may have
MAX_WORK_BYTES = 256 << 20  # attention weights in memory at once


def check_answer(count_bytes: Callable[[int], int], *, tokens: int, what: str, remedy: str) -> None:
    """`count_bytes` tells the size of the answer for a number of tokens; it grows with them."""
    _check(count_bytes, MAX_ANSWER_BYTES, tokens=tokens, what=what, remedy=remedy)


def check_work(*, tokens: int, maps: int) -> None:
    """For attention weights of so many layers and heads, 32-bit, all at once."""
    _check(
        lambda n: maps * n * n * 4,
        MAX_WORK_BYTES,
        tokens=tokens,
        what=f"{maps} attention maps at once",
        remedy="ask for fewer layers",
    )


def picked(field: str, wanted: Sequence[int], *, count: int) -> list[int]:
    """The layers or heads asked for, each once, in order; all when none is named."""
    if not wanted:
        return list(range(count))
    if outside := [index for index in wanted if index >= count]:
        raise InvalidArgument.field(
            field, f"must be 0 to {count - 1} in this model, but one is {outside[0]}"
        )
    return list(dict.fromkeys(wanted))


def at_most(field: str, value: int, *, limit: int, otherwise: int) -> int:
    """A count, 0 meaning `otherwise`."""
    if value > limit:
        raise InvalidArgument.field(field, f"must be at most {limit}, but is {value}")
    return value or otherwise


def _check(
    count_bytes: Callable[[int], int], limit: int, *, tokens: int, what: str, remedy: str
) -> None:
    requested = count_bytes(tokens)
    if requested <= limit:
        return
    largest, beyond = 0, tokens  # the largest that fits lies from `largest` to below `beyond`
    while beyond - largest > 1:
        middle = (largest + beyond) // 2
        if count_bytes(middle) <= limit:
            largest = middle
        else:
            beyond = middle
    raise OverLimit(
        f"{what} of {tokens} tokens are {requested} bytes; at most {limit} are given, which is "
        f"{largest} tokens here: shorten the text or {remedy}",
        metadata={
            "limit": str(limit),
            "requested": str(requested),
            "largest_tokens": str(largest),
        },
    )
