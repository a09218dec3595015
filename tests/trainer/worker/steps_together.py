"""Run by torchrun: makes the steps of all cases in a folder, in all processes together.

A case is a StartTraining in NAME.UNTIL.start, UNTIL being the step to end at. Rank 0 leaves its
checkpoint and what each step said in NAME, the others what they hold in NAME-RANK.
"""

import json
import sys
from pathlib import Path

from lab.torchrun import this_place
from lab.v1.worker_pb2 import StartTraining
from services.trainer.worker.distributed import Ranks
from services.trainer.worker.joining import prepare
from services.trainer.worker.saving.state import content, write
from services.trainer.worker.step import StepResult, training_step

STEPS_FILE = "steps.json"


def make(start: StartTraining, ranks: Ranks, *, until: int, folder: Path) -> None:
    """Trains up to a step; also what a test does alone, to compare."""
    training = prepare(start, ranks)
    said = []
    while training.step < until:
        said.append(_said(training_step(training)))
    own = folder if ranks.leads else folder.with_name(f"{folder.name}-{ranks.place.rank}")
    own.mkdir()
    write(content(training, full=True), own)
    (own / STEPS_FILE).write_text(json.dumps(said))


def _said(result: StepResult) -> dict[str, object]:
    return {
        "loss": result.loss,
        "grad_norm": result.grad_norm,
        "sequence_losses": result.sequence_losses,
    }


def main(folder: Path) -> None:
    ranks = Ranks(this_place())
    for case in sorted(folder.glob("*.start")):
        name, until, _ = case.name.split(".")
        start = StartTraining.FromString(case.read_bytes() if ranks.leads else b"")
        make(start, ranks, until=int(until), folder=folder / name)
    ranks.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
