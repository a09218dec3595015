"""One cluster and one browser for all end-to-end tests of a session."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.support.cluster import Cluster

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("lab")) as started:
        yield started


def browser_program() -> str:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert program, f"none of {', '.join(BROWSERS)} is installed; `make browser` installs one"
    return program


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browser_program(),
            args=["--no-sandbox", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


@pytest.fixture(autouse=True)
def no_run_left_training(cluster: Cluster) -> Iterator[None]:
    """There is one device slot: what a failed test left behind must not hold up the next."""
    yield
    cluster.stop_runs()


def complaint(message: ConsoleMessage) -> list[str]:
    """Errors of the page itself. That a request was refused or a connection cut is what some tests
    are about, and the browser notes it here as well."""
    expected = ("Failed to load resource", "WebSocket connection", "ERR_CONNECTION")
    if message.type != "error" or any(words in message.text for words in expected):
        return []
    return [message.text]


@pytest.fixture
def page(browser: Browser, cluster: Cluster) -> Iterator[Page]:
    """A fresh profile at the cluster's address. An error in its console fails the test."""
    context = browser.new_context(
        base_url=cluster.address, viewport={"width": 1440, "height": 1000}
    )
    context.set_default_timeout(20_000)
    troubles: list[str] = []
    opened = context.new_page()
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("console", lambda message: troubles.extend(complaint(message)))
    yield opened
    context.close()
    assert troubles == []
