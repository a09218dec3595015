"""What rounding to bf16 costs in quality: the same runs in both formats, to the same last token."""

from pathlib import Path

import pytest
import torch

from lab import folders
from lab.spec import load_presets, set_dotted
from lab.text import Assets, Corpora
from lab.v1.worker_pb2 import StartTraining
from services.trainer.worker.precision import multiplies_bf16
from services.trainer.worker.recording.evaluate import evaluate
from services.trainer.worker.step import training_step
from services.trainer.worker.training import build

STEPS = 300
SEEDS = (1, 2)
TOLERANCE = 0.005


def validation_loss(corpora: Path, *, precision: str, seed: int) -> float:
    """Of nano on tiny Shakespeare, 0.3 million tokens, with the preset's recipe made shorter."""
    spec = load_presets()["nano"].spec
    for change in (
        f"budget.precision={precision}",
        f"budget.steps={STEPS}",
        f"schedule.warmup_steps={STEPS // 10}",
        f"data.seed={seed}",
        "hooks.evaluate_batches=25",
    ):
        set_dotted(spec, change)
    training = build(StartTraining(run="runs/bench", spec=spec, corpora_folder=str(corpora)))
    for _ in range(STEPS):
        training_step(training)
    return evaluate(training).loss


@pytest.mark.bench
@pytest.mark.timeout(1_800)
@pytest.mark.skipif(not multiplies_bf16(torch.device("cpu")), reason="no bf16 here")
def test_the_validation_loss_of_bf16_is_that_of_fp32(tmp_path: Path) -> None:
    corpora = Corpora(tmp_path, Assets(folders.home() / "assets"))
    corpora.prepare("tiny-shakespeare")
    for seed in SEEDS:
        full, half = (
            validation_loss(tmp_path, precision=precision, seed=seed)
            for precision in ("fp32", "bf16")
        )
        print(f"\nseed {seed}: fp32 {full:.4f}, bf16 {half:.4f}, {half / full - 1:+.3%}")
        assert half <= full * (1 + TOLERANCE)
