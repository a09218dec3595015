"""Everything a run has in memory while it trains, and how it is put together."""

import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import torch
from torch.optim import AdamW

from lab.errors import InvalidArgument
from lab.model import GPTConfig, GPTModel
from lab.text import Tokens, open_splits
from lab.v1 import run_spec_pb2
from lab.v1.run_spec_pb2 import BudgetSpec, RunSpec
from lab.v1.worker_pb2 import StartTraining
from services.trainer.worker.batches import Batches
from services.trainer.worker.optim import make_optimizer
from services.trainer.worker.randomness import derive


class Clock:
    """Seconds spent training, pauses left out, over all attempts."""

    def __init__(self) -> None:
        self._before = 0.0
        self._since: float | None = None

    def go(self) -> None:
        if self._since is None:
            self._since = time.perf_counter()

    def halt(self) -> None:
        self._before, self._since = self.secs, None

    def set(self, secs: float) -> None:
        """Where an earlier attempt left off."""
        self._before = secs

    @property
    def secs(self) -> float:
        running = 0.0 if self._since is None else time.perf_counter() - self._since
        return self._before + running


@dataclass
class Training:
    """A run in the middle of its training."""

    run: str
    spec: RunSpec
    model: GPTModel
    optimizer: AdamW
    batches: Batches
    train_tokens: int
    validation: Tokens
    staging_folder: Path
    step: int = 0  # steps made
    loss: float | None = None
    validation_loss: float | None = None
    clock: Clock = field(default_factory=Clock)

    @property
    def tokens(self) -> int:
        """Tokens trained on."""
        return self.step * self.spec.budget.batch * self.spec.model.context

    @property
    def device(self) -> torch.device:
        return self.model.head_weight.device

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """bf16 for the matrix products where the spec asks for it; the weights stay fp32."""
        if self.spec.budget.precision != run_spec_pb2.PRECISION_BF16:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)


def build(start: StartTraining) -> Training:
    """Opens the data and makes the model as it is before the first step."""
    spec = start.spec
    device = _device(spec.budget)
    _check_precision(spec.budget, device)
    torch.set_num_threads(spec.budget.threads or physical_cores())
    # Numbers below 1e-38 take a slow path in processors, and mean nothing here.
    torch.set_flush_denormal(True)
    splits = open_splits(
        Path(start.corpora_folder) / spec.data.corpus,
        validation_fraction=spec.data.validation_fraction,
    )
    config = GPTConfig.from_spec(spec.model)
    model = GPTModel(config, seed=derive(spec.data.seed, "weights")).to(device)
    return Training(
        run=start.run,
        spec=spec,
        model=model,
        optimizer=make_optimizer(model, spec.optimizer),
        batches=Batches(
            splits.train,
            fingerprint=splits.fingerprint,
            seed=spec.data.seed,
            context=config.context,
            batch=spec.budget.batch,
        ),
        train_tokens=len(splits.train),
        validation=splits.validation,
        staging_folder=Path(start.staging_folder),
    )


def physical_cores() -> int:
    """Cores this process may use; a second thread on a core only gets in the way."""
    allowed = len(psutil.Process().cpu_affinity() or [0])
    return max(1, min(psutil.cpu_count(logical=False) or 1, allowed))


def _device(budget: BudgetSpec) -> torch.device:
    if budget.device == "cuda" and not torch.cuda.is_available():
        raise InvalidArgument.field(
            "budget.device", 'is "cuda", but this machine has no CUDA device; set it to "cpu"'
        )
    return torch.device(budget.device)


def _check_precision(budget: BudgetSpec, device: torch.device) -> None:
    if budget.precision != run_spec_pb2.PRECISION_BF16:
        return
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported()
    else:
        fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    if not fast:
        raise InvalidArgument.field(
            "budget.precision",
            "is bf16, which this processor can only imitate, slower than fp32; set it to fp32",
        )
