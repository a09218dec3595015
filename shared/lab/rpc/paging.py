"""Lists that come in pages: the one place that asks for the next, and says how long one may be."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Protocol, TypeVar

from lab.errors import OverLimit
from lab.limits import MAX_PAGE

USUAL_PAGE: Final = 200


class PageRequest(Protocol):
    page_token: str


class Page(Protocol):
    @property
    def next_page_token(self) -> str: ...


R = TypeVar("R", bound=PageRequest)
P = TypeVar("P", bound=Page)


def page_size(asked: int) -> int:
    """How many items a page holds that was asked for with this `page_size`; 0 leaves it open."""
    if asked > MAX_PAGE:
        raise OverLimit.field("page_size", f"must be at most {MAX_PAGE:,}, but is {asked:,}")
    return asked or USUAL_PAGE


async def pages(method: Callable[[R], Awaitable[P]], request: R) -> AsyncIterator[P]:
    """Every page, one after the other; the request's `page_token` goes along with them."""
    while True:
        page = await method(request)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
