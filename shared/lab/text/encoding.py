"""Tokenises batches of text in several processes; the answers come in the order of the batches."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import numpy as np

from lab.errors import LabError
from lab.text.documents import Piece
from lab.text.tokenizer import Tokenizer

MAX_PROCESSES = 16
MIN_BYTES_FOR_A_POOL = 8 << 20  # below this the processes take longer to start than to work
BATCHES_AHEAD = 2  # per process: one it works on, one that waits
_POLITENESS = 5  # services and a run that trains come first


@dataclass(frozen=True)
class Encoded:
    """Tokens of a batch, end-of-text before each document, and where documents begin in it."""

    tokens: bytes  # little-endian uint16
    begins: list[int]


def processes_for(text_bytes: int) -> int:
    """How many processes are worth starting."""
    if text_bytes < MIN_BYTES_FOR_A_POOL:
        return 1
    return min(MAX_PROCESSES, len(os.sched_getaffinity(0)))


def encode_all(
    batches: Iterable[list[Piece]], tokenizer: Tokenizer, *, processes: int
) -> Iterator[Encoded]:
    """Tokens of every batch; reads no further ahead than the processes need."""
    if processes == 1:
        for batch in batches:
            yield encode(batch, tokenizer)
        return
    with _started(processes, tokenizer.encoder) as pool:
        waiting: deque[_Process] = deque()
        for batch, process in zip(batches, cycle(pool), strict=False):
            process.send(batch)
            waiting.append(process)
            if len(waiting) > BATCHES_AHEAD * processes:
                yield waiting.popleft().receive()
        while waiting:
            yield waiting.popleft().receive()


def encode(batch: list[Piece], tokenizer: Tokenizer) -> Encoded:
    parts: list[np.ndarray[tuple[int], np.dtype[np.uint16]]] = []
    begins: list[int] = []
    size = 0
    boundary = np.array([tokenizer.eot], dtype="<u2")
    for piece in batch:
        if piece.begins:
            begins.append(size)
            parts.append(boundary)
            size += 1
        tokens = tokenizer.encode_array(piece.text)
        parts.append(tokens)
        size += len(tokens)
    return Encoded(np.concatenate(parts).tobytes(), begins)


class _Process:
    """One of the pool, with a pipe of its own. A queue that all share, as in concurrent.futures,
    is stuck for ever when one of them is killed in the middle of an answer."""

    def __init__(self, encoder: Path) -> None:
        spawn = multiprocessing.get_context("spawn")  # the trainer has threads: no fork
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs, encoder), daemon=True)
        self._process.start()
        theirs.close()  # so that its end is the end of the pipe

    def send(self, batch: list[Piece]) -> None:
        with _telling_of_a_kill():
            self._pipe.send(batch)

    def receive(self) -> Encoded:
        with _telling_of_a_kill():
            answer: Encoded | Exception = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def end(self) -> None:
        self._process.kill()  # it has nothing to tidy up
        self._process.join()
        self._pipe.close()


@contextmanager
def _started(processes: int, encoder: Path) -> Iterator[list[_Process]]:
    pool: list[_Process] = []
    try:
        with _deaf_to_interrupts():
            pool.extend(_Process(encoder) for _ in range(processes))
        yield pool
    finally:
        for process in pool:
            process.end()


@contextmanager
def _telling_of_a_kill() -> Iterator[None]:
    try:
        yield
    except (EOFError, ConnectionError) as error:
        raise LabError(
            "a process that tokenises was killed, perhaps because memory ran out; try again "
            "with other programs closed"
        ) from error


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes started inside never hear Ctrl-C: the one that started them ends them."""
    resource_tracker.ensure_running()  # started with the first of them, it would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# In the processes of the pool.


def _serve(pipe: Connection, encoder: Path) -> None:
    os.nice(_POLITENESS)
    tokenizer = Tokenizer.of_file(encoder)
    batches: SimpleQueue[list[Piece]] = SimpleQueue()
    Thread(target=_read, args=(pipe, batches), daemon=True).start()
    while True:
        answer: Encoded | Exception
        try:
            answer = encode(batches.get(), tokenizer)
        except Exception as error:
            answer = error
        try:
            pipe.send(answer)
        except ConnectionError:
            return  # nobody waits for it


def _read(pipe: Connection, batches: "SimpleQueue[list[Piece]]") -> None:
    """Takes batches while another is worked on, so that whoever sends one never waits for whoever
    sends an answer. The end of the pipe is the end of the parent, even of one that was killed."""
    try:
        while True:
            batches.put(pipe.recv())
    except (EOFError, ConnectionError):
        os._exit(1)
