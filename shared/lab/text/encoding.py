"""Tokenises batches of text in several processes; the answers come in the order of the batches."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path

import numpy as np

from lab.errors import LabError
from lab.text.documents import Piece
from lab.text.tokenizer import Tokenizer

MAX_PROCESSES = 16
MIN_BYTES_FOR_A_POOL = 8 << 20  # below this the processes take longer to start than to work
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
    with _pool(processes, tokenizer.encoder) as pool:
        waiting: deque[Future[Encoded]] = deque()
        try:
            for batch in batches:
                with _deaf_to_interrupts():  # the first call starts the processes
                    waiting.append(pool.submit(_encode_here, batch))
                if len(waiting) > 2 * processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise LabError(
                "a process that tokenises was killed, perhaps because memory ran out; try again "
                "with other programs closed"
            ) from error


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


@contextmanager
def _pool(processes: int, encoder: Path) -> Iterator[ProcessPoolExecutor]:
    pool = ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),  # the trainer has threads: no fork
        initializer=_begin,
        initargs=(encoder,),
    )
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes started inside never hear Ctrl-C: the one that started them ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# In the processes of the pool.

_tokenizer: Tokenizer | None = None


def _begin(encoder: Path) -> None:
    global _tokenizer
    _tokenizer = Tokenizer.of_file(encoder)
    os.nice(_POLITENESS)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    """A parent that was killed cannot end its processes."""
    if parent := multiprocessing.parent_process():
        connection.wait([parent.sentinel])
        os._exit(1)


def _encode_here(batch: list[Piece]) -> Encoded:
    assert _tokenizer is not None
    return encode(batch, _tokenizer)
