"""What nano's default recipe reaches on tiny Shakespeare, by tokens and by minutes, beside the same
recipe in the plain loop: fp32, full logits, the nanoGPT way.

`python -m tests.benchmarks.recipe docs/recipe.svg` draws it; about 3 minutes of a quiet core.
Both read the same sequences in the same order and start from the same kind of weights, so that by
tokens they learn the same, and by minutes the step alone decides. Minutes are of the processor's
time on one thread, which neighbours disturb least; evaluations are not counted.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import AdamW

from lab import folders
from lab.model import GPT_CONFIGS
from lab.spec import learning_rate, load_presets, windows
from lab.text import Assets, Corpora
from lab.v1.run_spec_pb2 import RunSpec
from lab.v1.worker_pb2 import StartTraining
from services.trainer.worker.memory import keep_memory
from services.trainer.worker.recording.evaluate import evaluate
from services.trainer.worker.step import training_step
from services.trainer.worker.training import Training, build
from tests.benchmarks.train_steps import PlainGPT

TOKENS = 98_304  # a third of the training split
POINT_TOKENS = 12_288
VALIDATION_SEQUENCES = 32


@dataclass
class Curve:
    """Points (tokens, processor seconds, validation loss), and how to make a step."""

    step: Callable[[], object]
    loss: Callable[[], float]
    points: list[tuple[int, float, float]] = field(default_factory=list)
    secs: float = 0.0

    def go_on(self, steps: int, *, tokens: int) -> None:
        for _ in range(steps):
            began = time.thread_time()
            self.step()
            self.secs += time.thread_time() - began
        self.points.append((tokens, self.secs, self.loss()))


def curves(*, tokens: int, steps_of_schedule: int | None = None) -> dict[str, Curve]:
    """Both, point by point in turns. The schedule is the preset's unless told how long it is."""
    spec = load_presets()["nano"].spec
    spec.budget.threads, spec.budget.micro_batch = 1, spec.budget.batch
    spec.hooks.evaluate_batches = VALIDATION_SEQUENCES // spec.budget.batch
    if steps_of_schedule is not None:
        spec.budget.steps = steps_of_schedule
    with tempfile.TemporaryDirectory() as corpora:
        Corpora(Path(corpora), Assets(folders.home() / "assets")).prepare("tiny-shakespeare")
        start = StartTraining(run="runs/bench", spec=spec, corpora_folder=corpora)
        training = build(start)
        made = {
            "the lab": Curve(lambda: training_step(training).loss, lambda: evaluate(training).loss),
            "plain loop": _plain(training, start.spec),
        }
        steps = POINT_TOKENS // training.batch_tokens
        for done in range(steps, tokens // training.batch_tokens + 1, steps):
            for curve in made.values():
                curve.go_on(steps, tokens=done * training.batch_tokens)
            print(table(made).splitlines()[-1], flush=True)
    return made


def _plain(training: Training, spec: RunSpec) -> Curve:
    torch.manual_seed(spec.data.seed)
    model = PlainGPT(GPT_CONFIGS["nano"])
    chosen = spec.optimizer
    decay = [{"params": [p for p in model.parameters() if p.dim() > 1]}]
    rest = [{"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0}]
    optimizer = AdamW(
        decay + rest,
        betas=(chosen.beta1, chosen.beta2),
        eps=chosen.epsilon,
        weight_decay=chosen.weight_decay,
    )
    made = 0

    def step() -> float:
        nonlocal made
        made += 1
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(spec, made)
        rows = training.batches.of_step(made, micro_batch=spec.budget.batch)
        inputs, targets = next(iter(rows))
        loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), chosen.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    @torch.no_grad()
    def loss() -> float:
        """On the windows that the lab's own evaluation takes."""
        context = spec.model.context
        there = windows(len(training.validation), context)
        total = 0.0
        for index in range(VALIDATION_SEQUENCES):
            first = index * there // VALIDATION_SEQUENCES * context
            ids = torch.tensor(training.validation[first : first + context + 1].astype("int64"))
            total += F.cross_entropy(model(ids[None, :-1]).flatten(0, 1), ids[1:]).item()
        return total / VALIDATION_SEQUENCES

    return Curve(step, loss)


def table(made: dict[str, Curve]) -> str:
    lines = ["| tokens | " + " | ".join(f"{name}: loss | minutes" for name in made) + " |"]
    lines.append("|---|" + "---|---|" * len(made))
    for points in zip(*(curve.points for curve in made.values()), strict=True):
        cells = " | ".join(f"{loss:.3f} | {secs / 60:.2f}" for _, secs, loss in points)
        lines.append(f"| {points[0][0]:,} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    keep_memory()
    made = curves(tokens=TOKENS)
    print(table(made), flush=True)
    from tests.benchmarks.recipe_figure import figure

    Path(sys.argv[1]).write_text(figure({name: curve.points for name, curve in made.items()}))


if __name__ == "__main__":
    main()
