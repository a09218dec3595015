"""Fewer of many, spread evenly."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def evenly(all_of_them: Sequence[T], limit: int) -> list[T]:
    """At most `limit`, the first and the last among them."""
    if len(all_of_them) <= limit:
        return list(all_of_them)
    last = len(all_of_them) - 1
    places = {round(index * last / max(1, limit - 1)) for index in range(limit)}
    return [all_of_them[place] for place in sorted(places)]
