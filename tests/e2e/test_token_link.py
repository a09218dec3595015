"""A lab that asks for its token: the link opens it, and the token is not left lying about."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.support.cluster import until
from tests.support.nats import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@dataclass(frozen=True)
class GuardedLab:
    """A gateway that asks for its token; nothing is behind it."""

    address: str
    link: str

    @property
    def token(self) -> str:
        return self.link.partition("#token=")[2]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedLab]:
    home, port = tmp_path_factory.mktemp("guarded"), free_port()
    nowhere = f"127.0.0.1:{free_port()}"
    settings = {"auth": "token", "ports": str(port), "nats-url": f"nats://{nowhere}"}
    settings |= {f"{each}-address": nowhere for each in ("trainer", "checkpoint", "inference")}
    options = [part for name, value in settings.items() for part in (f"--{name}", value)]
    process = subprocess.Popen(
        [sys.executable, "-m", "services.gateway", *options],
        env={**os.environ, "LAB_HOME": str(home)},  # noqa: TID251 (a child needs PATH)
    )
    address = f"http://localhost:{port}"
    try:
        until(lambda: answers(address), secs=60, what="the gateway answers")
        yield GuardedLab(address, (home / "gateway-link").read_text().strip())
    finally:
        process.terminate()
        process.wait(20)


def answers(address: str) -> bool:
    try:
        httpx.get(f"{address}/api/health")  # any answer: it waits for services that never come
    except httpx.TransportError:
        return False
    return True


def test_the_link_opens_the_lab_and_the_token_is_gone_from_the_address(
    browser: Browser, lab: GuardedLab
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(lab.link)
    expect(page.get_by_test_id("connection-status")).to_have_attribute("data-state", "live")
    assert lab.token not in page.url
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert lab.token not in stored
    assert page.evaluate("document.cookie") == ""  # scripts cannot read the session
    page.reload()
    expect(page.get_by_test_id("connection-status")).to_have_attribute("data-state", "live")
    context.close()


def test_without_the_token_there_is_a_door_and_a_wrong_one_does_not_open_it(
    browser: Browser, lab: GuardedLab
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(lab.address)
    page.get_by_test_id("door-token").fill("not-it")
    page.get_by_test_id("door-open").click()
    expect(page.get_by_test_id("problem")).to_contain_text("token")
    page.get_by_test_id("door-token").fill(lab.token)
    page.get_by_test_id("door-open").click()
    expect(page.get_by_test_id("connection-status")).to_have_attribute("data-state", "live")
    context.close()
