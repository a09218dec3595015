"""A TCP proxy that cuts connections: after so many bytes from the server, as often as told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class CuttingProxy:
    """`cut_after` are the byte counts at which the next connections end; then none is cut."""

    target_port: int
    cut_after: list[int]
    port: int = 0
    cuts: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.target_port)
        left = self.cut_after.pop(0) if self.cut_after else None

        async def up() -> None:
            while data := await reader.read(1 << 16):
                back.write(data)
                await back.drain()

        async def down() -> None:
            nonlocal left
            while data := await there.read(1 << 16):
                if left is not None:
                    left -= len(data)
                    if left <= 0:
                        self.cuts += 1
                        return
                writer.write(data)
                await writer.drain()

        pumps = [asyncio.ensure_future(up()), asyncio.ensure_future(down())]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            for end in (writer, back):
                end.transport.abort()
                end.close()
            await asyncio.gather(*pumps, return_exceptions=True)


@asynccontextmanager
async def cutting_proxy(target: str, cut_after: list[int]) -> AsyncIterator[CuttingProxy]:
    """In front of `host:port`."""
    proxy = CuttingProxy(int(target.rpartition(":")[2]), list(cut_after))

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(proxy._serve(reader, writer))
        proxy._tasks.add(task)
        task.add_done_callback(proxy._tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in list(proxy._tasks):
            task.cancel()
        await asyncio.gather(*proxy._tasks, return_exceptions=True)
