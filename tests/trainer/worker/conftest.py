"""A run small enough to train in milliseconds: a corpus of its own and a tiny model."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from lab.spec import load_presets
from lab.text.from_tokens import write_tokens
from lab.v1 import run_spec_pb2
from lab.v1.run_spec_pb2 import RunSpec
from lab.v1.worker_pb2 import StartTraining
from services.trainer.worker.training import Training, build
from tests.trainer.worker.worker_process import Worker, workers

VOCABULARY = 97


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """And numbers as other tests expect them: a training switches the smallest ones off."""
    torch.set_num_threads(1)
    yield
    torch.set_flush_denormal(False)


@pytest.fixture
def spec() -> RunSpec:
    """Everything set, as after `resolve`."""
    spec = RunSpec()
    spec.CopyFrom(load_presets()["nano"].spec)
    model, budget, hooks = spec.model, spec.budget, spec.hooks
    model.layers, model.width, model.heads, model.context = 2, 32, 2, 16
    model.vocab_size = VOCABULARY
    spec.data.corpus, spec.data.seed = "tiny", 7
    spec.schedule.warmup_steps = 2
    budget.steps, budget.batch, budget.micro_batch, budget.threads = 8, 4, 2, 1
    budget.precision = run_spec_pb2.PRECISION_FP32
    hooks.evaluate_every, hooks.evaluate_batches, hooks.sample_every = 0, 2, 0
    return spec


@pytest.fixture
def corpora_folder(tmp_path: Path) -> Path:
    """A corpus "tiny" of 600 tokens that repeat often enough to be learned."""
    folder = tmp_path / "corpora" / "tiny"
    write_tokens(folder, [[n * 7 % 31 + 1 for n in range(600)]])
    return folder.parent


@pytest.fixture
def start(spec: RunSpec, corpora_folder: Path, tmp_path: Path) -> StartTraining:
    return StartTraining(
        run="runs/test",
        spec=spec,
        corpora_folder=str(corpora_folder),
        staging_folder=str(tmp_path / "staging"),
    )


@pytest.fixture
def training(start: StartTraining) -> Training:
    return build(start)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Callable[[StartTraining | None], Worker]]:
    """Starts workers; kills what is left of them."""
    with workers(tmp_path) as make:
        yield make
