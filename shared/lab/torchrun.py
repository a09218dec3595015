"""How the processes of one run are started, and what each is told: the interface of torchrun.

torchrun (torch.distributed.run) starts the same program several times, here or on several machines,
tells each by its environment which one it is, and ends them all when one dies.
"""

import sys
from dataclasses import dataclass

from lab import folders

WORKER = "services.trainer.worker"


@dataclass(frozen=True)
class Place:
    """Which of the processes of a run this one is."""

    rank: int = 0  # among all; the first one leads
    world: int = 1  # how many there are
    local_rank: int = 0  # among those on this machine
    local_world: int = 1

    @property
    def leads(self) -> bool:
        return self.rank == 0


def this_place() -> Place:
    """As torchrun said; a process that it did not start is alone."""
    told = folders.child_environment()
    if "TORCHELASTIC_RUN_ID" not in told:
        return Place()
    return Place(
        rank=int(told["RANK"]),
        world=int(told["WORLD_SIZE"]),
        local_rank=int(told["LOCAL_RANK"]),
        local_world=int(told["LOCAL_WORLD_SIZE"]),
    )


def follower_command() -> list[str]:
    """A worker that torchrun itself started, on a machine or in a place that does not lead."""
    return [sys.executable, "-m", WORKER]


def worker_command(processes: int) -> list[str]:
    """Starts the training worker; its link must be its standard input.

    torchrun hands nothing else on to the processes it starts: it closes all other files. It makes
    no second attempt, because who started the run knows where its checkpoints are.
    """
    worker = ["-m", WORKER, "--fd", "0"]
    if processes <= 1:
        return [sys.executable, *worker]
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--max-restarts", "0"]
    return [sys.executable, *torchrun, "--nproc-per-node", str(processes), *worker]
