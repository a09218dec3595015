"""Lists that come in pages: the one place that asks for the next."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeVar


class PageRequest(Protocol):
    page_token: str


class Page(Protocol):
    @property
    def next_page_token(self) -> str: ...


R = TypeVar("R", bound=PageRequest)
P = TypeVar("P", bound=Page)


async def pages(method: Callable[[R], Awaitable[P]], request: R) -> AsyncIterator[P]:
    """Every page, one after the other; the request's `page_token` goes along with them."""
    while True:
        page = await method(request)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
