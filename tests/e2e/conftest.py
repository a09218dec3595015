"""One cluster and one browser for all end-to-end tests of a session."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.cluster import Cluster

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("lab")) as started:
        yield started


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert program, f"none of {', '.join(BROWSERS)} is installed; `make browser` installs one"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, cluster: Cluster) -> Iterator[Page]:
    """A fresh profile at the cluster's address. Errors in its console fail the test, but those
    that a test causes on purpose: a connection that was cut."""
    context = browser.new_context(
        base_url=cluster.address, viewport={"width": 1440, "height": 1000}
    )
    context.set_default_timeout(20_000)
    troubles: list[str] = []
    opened = context.new_page()
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on(
        "console",
        lambda message: (
            troubles.append(message.text)
            if message.type == "error"
            and "ERR_CONNECTION" not in message.text
            and "WebSocket connection" not in message.text
            and "503" not in message.text
            else None
        ),
    )
    yield opened
    context.close()
    assert troubles == []
