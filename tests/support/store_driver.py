"""Run as a program: does one thing to a checkpoint store in a forked child, so that a test can put
strace on the child before it moves. Imports once; each case costs milliseconds.

Reads lines of {"home": …, "scenario": …}; answers {"pid": …} once the child stands still, and
{"status": …, "said": …} once it has ended: 0 is done, 3 is refused with what it `said`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.checkpoint_service_pb2 import UpdateCheckpointRequest
from services.checkpoint.intake.blobs import Blobs
from services.checkpoint.intake.fences import NAME as FENCES
from services.checkpoint.intake.fences import Fences
from services.checkpoint.shelf.catalog import Catalog
from services.checkpoint.shelf.layout import Layout
from services.checkpoint.shelf.shelf import Shelf
from services.checkpoint.shelf.trash import NAME as TRASH
from services.checkpoint.shelf.trash import Trash
from tests.support.checkpoint_service import PEEK, chunks, header, safetensors

OLD = "runs/nano-1/checkpoints/step-00000001"
NEW = "runs/nano-1/checkpoints/step-00000002"
DELETED = "runs/nano-1/checkpoints/step-00000003"
SAVED = {"model.safetensors": safetensors(b"weights" * 999), "state.json": b'{"step": 2}'}
CHUNK_BYTES = 4096
CLAIM = 5


@dataclass(frozen=True)
class Store:
    """The parts of the service, without the service."""

    layout: Layout
    blobs: Blobs
    shelf: Shelf
    catalog: Catalog

    def save(self, name: str, *, claim: int = CLAIM) -> Checkpoint:
        described = header(SAVED, name=name)
        described.fencing_token = claim
        if (same := self.blobs.find_same(described)) is not None:
            return same
        staging = self.blobs.begin(described)
        try:
            for chunk in chunks(SAVED, size=CHUNK_BYTES):
                staging.write(chunk)
            return self.blobs.commit(staging)
        finally:
            self.blobs.end(staging)


def open_store(home: Path) -> Store:
    layout, lock = Layout(home), threading.Lock()
    trash = Trash(layout.checkpoints / TRASH, keep_secs=1e6)
    shelf = Shelf(layout, trash, lock)
    blobs = Blobs(
        layout,
        Fences(layout.checkpoints / FENCES),
        max_checkpoint_bytes=1 << 30,
        free_space_floor_bytes=0,
        max_uploads=4,
        lock=lock,
        make_room=shelf.make_room,
    )
    blobs.start()
    return Store(layout, blobs, shelf, Catalog(layout, trash))


def prepare(home: Path) -> None:
    """One checkpoint that is there, one in the trash, a peek."""
    store = open_store(home)
    for name in (OLD, DELETED, PEEK):
        store.save(name, claim=1)
    store.shelf.delete(DELETED)
    store.blobs.close()


def _pin(store: Store) -> None:
    store.shelf.mark(UpdateCheckpointRequest(name=OLD, pinned=True))


SCENARIOS: dict[str, Callable[[Store], object]] = {
    "save": lambda store: store.save(NEW),
    "peek": lambda store: store.save(PEEK),
    "pin": _pin,
    "delete": lambda store: store.shelf.delete(OLD),
    "restore": lambda store: store.shelf.restore(DELETED),
    "discard": lambda store: store.shelf.delete(DELETED, permanently=True),
}


def _child(home: Path, scenario: str, said: int) -> None:
    store = open_store(home)
    os.kill(os.getpid(), signal.SIGSTOP)
    status = 0
    try:
        SCENARIOS[scenario](store)
    except LabError as error:
        status = 3
        os.write(said, error.message.encode())
    except OSError as error:
        status = 4
        os.write(said, repr(error).encode())
    os._exit(status)


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            _child(Path(order["home"]), order["scenario"], writing)
        os.close(writing)
        os.waitpid(pid, os.WUNTRACED)
        print(json.dumps({"pid": pid}), flush=True)
        _, status = os.waitpid(pid, 0)
        said = os.read(reading, 1 << 16).decode()
        os.close(reading)
        code = os.waitstatus_to_exitcode(status)
        print(json.dumps({"status": code, "said": said}), flush=True)


if __name__ == "__main__":
    main()
