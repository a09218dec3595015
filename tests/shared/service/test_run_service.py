"""The boot pattern, with a toy service as a real process and real signals."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lab import folders
from lab.rpc.health import is_ready
from tests.support.nats import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.integration

END_SECS = 15.0


class Toy:
    """One toy process; `lines` is its log so far."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.address = f"127.0.0.1:{port}"
        self.lines: list[dict[str, Any]] = []
        self.plain: list[str] = []

    async def read(self) -> None:
        assert self._process.stderr is not None
        async for raw in self._process.stderr:
            try:
                self.lines.append(json.loads(raw))
            except ValueError:
                self.plain.append(raw.decode())

    def said(self, message: str) -> bool:
        return any(line["msg"] == message for line in self.lines)

    def ready(self) -> Awaitable[bool]:
        return is_ready(self.address)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def ended(self) -> int:
        return await asyncio.wait_for(self._process.wait(), END_SECS)


@asynccontextmanager
async def toy(*flags: str, port: int | None = None, **environment: str) -> AsyncIterator[Toy]:
    port = port or free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.toy_service", "--port", str(port), *flags),
        cwd=folders.checkout(),
        env={**os.environ, **environment},  # noqa: TID251 (the child needs PATH and the like)
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    started = Toy(process, port)
    reading = asyncio.create_task(started.read())
    try:
        yield started
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


async def test_sigterm_leaves_everything_and_exits_0() -> None:
    async with toy() as service:
        await until(service.ready, what="the toy is ready")
        service.signal(signal.SIGTERM)
        assert await service.ended() == 0
    assert service.said("left everything")
    assert service.said("stopped")


async def test_it_listens_at_once_and_is_ready_when_its_need_has_answered() -> None:
    needed = free_port()
    async with toy("--needs", f"127.0.0.1:{needed}") as service:
        await until(lambda: service.said("listening"))
        assert not await is_ready(service.address)
        async with toy(port=needed) as other:
            await until(service.ready, what="ready once its need answers")
            other.signal(signal.SIGKILL)
            await other.ended()
        await until(lambda: service.said("lost"), what="the loss is noticed")
        assert not await is_ready(service.address)
        assert service.said("waiting")


async def test_a_dead_background_task_ends_the_service_with_1(tmp_path: Path) -> None:
    file = tmp_path / "die"
    async with toy("--die-when", str(file)) as service:
        await until(service.ready)
        file.touch()
        assert await service.ended() == 1
    death = next(line for line in service.lines if line["msg"] == "a background task died")
    assert "the file is there" in json.dumps(death)
    assert service.said("left everything")


async def test_a_bad_setting_is_one_line_and_exit_code_2() -> None:
    async with toy(LAB_TOY__GRACE_SECS="-1") as service:
        assert await service.ended() == 2
    (line,) = service.plain
    assert "toy.grace_secs" in line
    assert "environment" in line
    assert service.lines == []


async def test_a_lab_error_in_build_is_one_log_line_and_exit_code_1() -> None:
    async with toy("--refuse", "true") as service:
        assert await service.ended() == 1
    line = next(line for line in service.lines if line["msg"] == "cannot run")
    assert "wind it up first" in line["detail"]
    assert "exception" not in line
    assert service.plain == []


async def test_a_busy_port_is_told_with_its_address() -> None:
    async with toy() as first:
        await until(first.ready)
        async with toy(port=int(first.address.rpartition(":")[2])) as second:
            assert await second.ended() == 1
        assert any(first.address in str(line.get("detail")) for line in second.lines)
        assert await is_ready(first.address)


async def test_a_second_signal_ends_at_once() -> None:
    async with toy("--slow-exit", "true") as service:
        await until(service.ready)
        service.signal(signal.SIGTERM)
        await until(lambda: service.said("left everything"))
        service.signal(signal.SIGTERM)
        assert await service.ended() == 1


async def test_print_settings_shows_values_and_origins_and_starts_nothing() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.toy_service", "--print-settings", "--port", "7"),
        cwd=folders.checkout(),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await asyncio.wait_for(process.communicate(), END_SECS)
    assert process.returncode == 0
    assert "port = 7  (flag)" in output.decode().splitlines()
