"""A small model, the same one in transformers, and a text."""

from pathlib import Path

import pytest
import torch
from transformers import GPT2LMHeadModel

from lab.model import GPTConfig, GPTModel
from tests.support.inference_service import model_files

CONFIG = GPTConfig(layers=3, width=32, heads=4, context=32, vocab_size=211)
IDS = [(37 * n * n + 11 * n) % 211 for n in range(17)]


@pytest.fixture(scope="session")
def model() -> GPTModel:
    """Random, with biases and norms moved off 0 and 1, so that none of them can be forgotten."""
    model = GPTModel(CONFIG, seed=1).eval()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            spread = 0.2 if parameter.dim() == 1 else 5 * float(parameter.std())
            noise = torch.randn(parameter.shape, generator=generator) * spread
            parameter.copy_(parameter + noise if parameter.dim() == 1 else noise)
            parameter.requires_grad_(False)
            assert name
    return model


@pytest.fixture(scope="session")
def reference(model: GPTModel, tmp_path_factory: pytest.TempPathFactory) -> GPT2LMHeadModel:
    folder: Path = tmp_path_factory.mktemp("reference")
    model_files(model, folder)
    loaded: GPT2LMHeadModel = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager")
    loaded.train(False)
    return loaded
