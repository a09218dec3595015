"""Trains one run: `python -m services.trainer.worker --fd N`, N being an inherited socket."""

import argparse
import signal
import socket
import sys
import traceback

from lab.link import Link, LinkClosed
from lab.v1.worker_pb2 import WorkerCommand
from services.trainer.worker.events import Heartbeat
from services.trainer.worker.memory import keep_memory


def main() -> int:
    """Exit code 0 when the run ended as it should, 1 when it failed."""
    parser = argparse.ArgumentParser(prog="python -m services.trainer.worker", description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="the inherited end of the link")
    # Ctrl-C in a terminal reaches the whole process group; what it means is the parent's decision.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    link = Link(socket.socket(fileno=parser.parse_args().fd))
    heartbeat = Heartbeat(link)
    keep_memory()
    try:
        command = link.receive(WorkerCommand)
        if not command.HasField("start"):
            raise ValueError(f"the first command was {command.WhichOneof('command')}, not start")
        heartbeat.start()
        # torch takes a second or two to import; by now the trainer hears a heart beating.
        from services.trainer.worker.run import run

        return run(command.start, link, heartbeat)
    except LinkClosed:
        sys.stderr.write("the trainer is gone; the run ends here\n")
        return 0
    except Exception:
        traceback.print_exc()
        return 1
    finally:
        heartbeat.stop()


if __name__ == "__main__":
    sys.exit(main())
