"""A model small enough to test with, and text-like ids for it."""

import pytest
import torch
from torch import Tensor

from lab.model import GPTConfig, GPTModel

TINY = GPTConfig(layers=2, width=32, heads=4, context=16, vocab_size=97)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def config() -> GPTConfig:
    return TINY


@pytest.fixture
def model(config: GPTConfig) -> GPTModel:
    """Tiny, and with weights larger than at birth, so that attention is far from uniform."""
    made = GPTModel(config, seed=1).eval()
    with torch.no_grad():
        generator = torch.Generator().manual_seed(2)
        for parameter in made.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return made


@pytest.fixture
def ids(config: GPTConfig) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(config.vocab_size, (3, config.context), generator=generator)
