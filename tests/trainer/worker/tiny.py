"""A run small enough to train in milliseconds: a corpus of its own and a tiny model."""

from pathlib import Path

from lab.spec import load_presets
from lab.text.from_tokens import write_tokens
from lab.v1 import run_spec_pb2
from lab.v1.run_spec_pb2 import RunSpec

VOCABULARY = 97


def tiny_spec() -> RunSpec:
    """Everything set, as after `resolve`."""
    spec = load_presets()["nano"].spec
    model, budget, hooks = spec.model, spec.budget, spec.hooks
    model.layers, model.width, model.heads, model.context = 2, 32, 2, 16
    model.vocab_size = VOCABULARY
    spec.data.corpus, spec.data.seed = "tiny", 7
    spec.schedule.warmup_steps = 2
    budget.steps, budget.batch, budget.micro_batch, budget.threads = 8, 4, 2, 1
    budget.precision = run_spec_pb2.PRECISION_FP32
    hooks.evaluate_every, hooks.evaluate_batches, hooks.sample_every = 0, 2, 0
    hooks.health_every, hooks.probe_every = 0, 0
    return spec


def write_tiny_corpus(folder: Path) -> Path:
    """A corpus "tiny" of 600 tokens that repeat often enough to be learned."""
    write_tokens(folder / "tiny", [[n * 7 % 31 + 1 for n in range(600)]])
    return folder
