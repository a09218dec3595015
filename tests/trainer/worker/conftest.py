"""A run small enough to train in milliseconds, and real workers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from lab.v1.run_spec_pb2 import RunSpec
from lab.v1.worker_pb2 import StartTraining
from services.trainer.worker.training import Training, build
from tests.trainer.worker.tiny import tiny_spec, write_tiny_corpus
from tests.trainer.worker.worker_process import Worker, workers


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """And numbers as other tests expect them: a training switches the smallest ones off."""
    torch.set_num_threads(1)
    yield
    torch.set_flush_denormal(False)


@pytest.fixture
def spec() -> RunSpec:
    return tiny_spec()


@pytest.fixture
def corpora_folder(tmp_path: Path) -> Path:
    return write_tiny_corpus(tmp_path / "corpora")


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
