"""Trains one run: `python -m services.trainer.worker --fd N`, N being an inherited socket.

Under torchrun it is one of several processes of the run. The first holds the link and leads; the
others need none.
"""

import argparse
import os
import signal
import socket
import sys
import threading
import time
import traceback
from pathlib import Path

from lab.link import Link, LinkClosed
from lab.occupied import occupying
from lab.torchrun import Place, this_place
from lab.v1.worker_pb2 import WorkerCommand
from services.trainer.worker.events import Heartbeat
from services.trainer.worker.memory import keep_memory
from services.trainer.worker.waiting import wait_briefly

PARENT_POLL_SECS = 0.5


def main() -> int:
    """Exit code 0 when the run ended as it should, 1 when it failed."""
    parser = argparse.ArgumentParser(prog="python -m services.trainer.worker", description=__doc__)
    parser.add_argument("--fd", type=int, help="the inherited end of the link")
    parser.add_argument("--corpora-folder", default="", help="of this machine, if it is another")
    given, place = parser.parse_args(), this_place()
    # Ctrl-C in a terminal reaches the whole process group; what it means is the parent's decision.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_memory()
    wait_briefly()
    if place.world > 1:
        threading.Thread(target=_die_with_parent, args=(os.getppid(),), daemon=True).start()
    if place.leads:
        return _lead(given.fd, place)
    if given.fd is not None:  # while it is open here, the other end cannot see that all is over
        with open(os.devnull) as nothing:
            os.dup2(nothing.fileno(), given.fd)
    from services.trainer.worker.following import follow

    return follow(place, corpora_folder=given.corpora_folder)


def _lead(fd: int, place: Place) -> int:
    link = Link(socket.socket(fileno=fd))
    heartbeat = Heartbeat(link)
    try:
        command = link.receive(WorkerCommand)
        if not command.HasField("start"):
            raise ValueError(f"the first command was {command.WhichOneof('command')}, not start")
        heartbeat.start()
        # torch takes a second or two to import; by now the trainer hears a heart beating.
        from services.trainer.worker.run import run

        with occupying(Path(command.start.staging_folder)):  # until what it saves is on disk
            return run(command.start, link, heartbeat, place=place)
    except LinkClosed:
        sys.stderr.write("the trainer is gone; the run ends here\n")
        return 0
    except Exception:
        traceback.print_exc()
        return 1
    finally:
        heartbeat.stop()


def _die_with_parent(parent: int) -> None:
    """torchrun gives each process a session of its own, so a kill of its group misses them."""
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_SECS)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
