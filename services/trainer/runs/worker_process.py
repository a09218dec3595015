"""One training worker as a child process: start it, talk to it, watch it, end it.

A worker is a process so that a crash or a memory kill takes one run and not the service, and so
that no answer of the service waits for a training step to let go of the interpreter. It cannot
outlive the trainer for long: when the link closes, it ends at its next step boundary.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import psutil
import structlog

from lab import link
from lab.torchrun import worker_command
from lab.v1.worker_pb2 import WorkerCommand, WorkerEvent

SILENCE_SECS: Final = 30.0  # the worker says something every second, from a thread of its own
STARTING_SECS: Final = 120.0  # before its first word it may have to read torch from a slow disk
DYING_SECS: Final = 10.0  # from its last word, or the closed link, to its end
LINE_BYTES: Final = 64 << 10

log = structlog.get_logger()


@dataclass(frozen=True)
class Ending:
    """How a worker's process ended. `unheard` says that it was killed for its silence."""

    exit_code: int
    unheard: bool = False
    processes: int = 1

    def __str__(self) -> str:
        if self.unheard:
            return "its worker did not answer any more and was ended"
        if self.exit_code < 0:
            return f"its worker was killed by {_signal_name(-self.exit_code)}" + (
                "; if nobody did this, memory may have run out: try a smaller budget.micro_batch"
                if -self.exit_code == signal.SIGKILL
                else ""
            )
        if self.processes > 1:
            return f"one of its {self.processes} processes was lost, and so the others ended"
        return f"its worker ended with exit code {self.exit_code} and did not say why"


class Worker(Protocol):
    """What a life of a run needs of its worker."""

    async def send(self, command: WorkerCommand) -> None:
        """Says nothing to a worker that is gone."""

    def events(self) -> AsyncIterator[WorkerEvent]:
        """Everything it says, until it is gone."""

    async def ended(self) -> Ending:
        """Waits for its end; a worker that lingers after its last word is killed."""

    def kill(self) -> None:
        """Ends it at once."""


class WorkerProcess:
    """The real worker."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        run: str,
        silence_secs: float,
        processes: int = 1,
    ) -> None:
        self._process = process
        self._reader, self._writer = reader, writer
        self._silence_secs = silence_secs
        self._processes = processes
        self._heard = False
        self._unheard = False
        assert process.stderr is not None
        self._forwarding = asyncio.create_task(_forward(process.stderr, run=run, pid=process.pid))

    @property
    def pid(self) -> int:
        return self._process.pid

    async def send(self, command: WorkerCommand) -> None:
        with contextlib.suppress(ConnectionError, RuntimeError):
            self._writer.write(link.encode(command))
            await self._writer.drain()

    async def events(self) -> AsyncIterator[WorkerEvent]:
        while True:
            patience = self._silence_secs if self._heard else max(STARTING_SECS, self._silence_secs)
            try:
                async with asyncio.timeout(patience):
                    event = await link.receive(self._reader, WorkerEvent)
            except link.LinkClosed:
                return
            except TimeoutError:
                log.error("worker killed for its silence", pid=self.pid, secs=patience)
                self._unheard = True
                self.kill()
                return
            self._heard = True
            yield event

    async def ended(self) -> Ending:
        self._writer.close()
        try:
            code = await asyncio.wait_for(self._process.wait(), DYING_SECS)
        except TimeoutError:
            log.error("worker did not end by itself", pid=self.pid)
            self.kill()
            code = await self._process.wait()
        with contextlib.suppress(TimeoutError):  # a grandchild may hold the pipe open
            await asyncio.wait_for(self._forwarding, DYING_SECS)
        return Ending(code, unheard=self._unheard, processes=self._processes)

    def kill(self) -> None:
        """Also what it started: it leads a session of its own, and torchrun's processes do, too."""
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            started = psutil.Process(self._process.pid).children(recursive=True)
            os.killpg(self._process.pid, signal.SIGKILL)
            for process in started:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()


async def start_worker(
    run: str,
    *,
    processes: int = 1,
    nice: int,
    silence_secs: float = SILENCE_SECS,
    command: Sequence[str] | None = None,
    folder: Path | None = None,
) -> WorkerProcess:
    """Starts a worker for the run. By exec, never by fork: gRPC and asyncio are running here.

    Its link is its standard input, which it hands on to the process that leads, if it is several.
    """
    ours, theirs = socket.socketpair()
    try:
        process = await asyncio.create_subprocess_exec(
            *(command or worker_command(processes)),
            stdin=theirs.fileno(),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            limit=LINE_BYTES,
            start_new_session=True,  # a Ctrl-C meant for us does not end it unsaved
            cwd=folder,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.setpriority(os.PRIO_PROCESS, process.pid, nice)  # answering comes before training
    reader, writer = await asyncio.open_connection(sock=ours)
    log.info("worker started", run=run, pid=process.pid)
    return WorkerProcess(
        process, reader, writer, run=run, silence_secs=silence_secs, processes=processes
    )


async def _forward(stream: asyncio.StreamReader, *, run: str, pid: int) -> None:
    """The worker's stderr, line by line, into our log."""
    while True:
        try:
            line = await stream.readuntil(b"\n")
        except asyncio.IncompleteReadError as error:
            line = error.partial
            if not line:
                return
        except asyncio.LimitOverrunError as error:
            line = await stream.readexactly(error.consumed)
        log.info("worker", run=run, pid=pid, line=line.decode("utf-8", "replace").rstrip())


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
