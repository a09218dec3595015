"""One training step of a preset's shape, as several programs make it, on the very same text.

Each is a process of its own, as it would be in use: `python -m tests.benchmarks.train_steps
ours-bf16 nano 8 2` makes a step for each line it is sent and answers with a line of JSON.
"""

import json
import math
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW

from lab.model import GPT_CONFIGS, GPTConfig
from lab.spec import load_presets, set_dotted
from lab.text.from_tokens import write_tokens
from lab.v1.run_spec_pb2 import RunSpec
from lab.v1.worker_pb2 import StartTraining
from services.trainer.worker.memory import keep_memory
from tests.benchmarks.products import products

if TYPE_CHECKING:  # torch comes after the memory is set up
    from services.trainer.worker.training import Training

Step = Callable[[], float]
WINDOWS = 64


def ours(spec: RunSpec, *, precision: str) -> Step:
    """The worker's own step, everything it records included."""
    from services.trainer.worker.step import training_step

    training = made_training(spec, precision=precision)

    def step() -> float:
        result = training_step(training)
        return result.loss + 0 * sum(result.sequence_losses)

    return step


class PlainBlock(nn.Module):
    """As nanoGPT has it: one matrix for q, k and v, torch's attention, GELU."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        B, T, C = x.shape
        q, k, v = (
            part.view(B, T, self.heads, C // self.heads).transpose(1, 2)
            for part in self.qkv(self.ln_1(x)).split(C, dim=2)
        )
        heads = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(heads.transpose(1, 2).contiguous().view(B, T, C))
        y: Tensor = x + self.down(F.gelu(self.up(self.ln_2(x)), approximate="tanh"))
        return y


class PlainGPT(nn.Module):
    """Full logits, torch's cross-entropy, tied embedding."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.tokens = nn.Embedding(config.vocab_size, config.width)
        self.positions = nn.Embedding(config.context, config.width)
        self.blocks = nn.ModuleList(PlainBlock(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                small = name.endswith(("out.weight", "down.weight"))
                parameter.data.normal_(0, 0.02 / (math.sqrt(2 * config.layers) if small else 1))

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        y: Tensor = F.linear(self.norm(x), self.tokens.weight)
        return y


def plain(spec: RunSpec, *, autocast: bool, fused: bool = False) -> Step:
    """nanoGPT's training loop: zero_grad to None, clip_grad_norm_, loss.item() each step."""
    model = PlainGPT(GPT_CONFIGS[_preset(spec)])
    return _loop(spec, model, model, autocast=autocast, fused=fused)


def transformers_gpt2(spec: RunSpec, *, fused: bool, autocast: bool = False) -> Step:
    """GPT2LMHeadModel, from the labels to its own loss."""
    from transformers import GPT2Config, GPT2LMHeadModel

    shape = spec.model
    config = GPT2Config(
        n_embd=shape.width,
        n_layer=shape.layers,
        n_head=shape.heads,
        n_positions=shape.context,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        use_cache=False,
    )
    model = GPT2LMHeadModel(config)
    return _loop(spec, model, lambda ids: model(ids).logits, autocast=autocast, fused=fused)


def book(spec: RunSpec, *, autocast: bool = False) -> Step:
    """The GPTModel of chapter 4, from the book's package: untied, no biases for q, k and v."""
    from llms_from_scratch.ch04 import GPTModel

    shape = spec.model
    model = GPTModel(
        {
            "vocab_size": shape.vocab_size,
            "context_length": shape.context,
            "emb_dim": shape.width,
            "n_heads": shape.heads,
            "n_layers": shape.layers,
            "drop_rate": 0.0,
            "qkv_bias": False,
        }
    )
    return _loop(spec, model, model, autocast=autocast, fused=autocast)


def _loop(
    spec: RunSpec,
    model: nn.Module,
    logits: Callable[[Tensor], Tensor],
    *,
    autocast: bool,
    fused: bool,
) -> Step:
    torch.set_num_threads(spec.budget.threads)
    optimizer = AdamW(
        model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=fused or None
    )
    text = torch.from_numpy(_noise(spec).astype(np.int64))
    T, size, count = spec.model.context, spec.budget.micro_batch, spec.budget.batch
    made = 0

    def step() -> float:
        nonlocal made
        total = 0.0
        for _ in range(count // size):
            starts = [(made + row) % (WINDOWS // 2) * T for row in range(size)]
            rows = torch.stack([text[start : start + T + 1] for start in starts])
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
                scores = logits(rows[:, :-1])
                loss = F.cross_entropy(scores.flatten(0, 1).float(), rows[:, 1:].flatten())
            loss = loss * size / count
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
            made += size
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return total

    return step


CONTENDERS: dict[str, Callable[[RunSpec], Step]] = {
    "ours-bf16": lambda spec: ours(spec, precision="bf16"),
    "ours-fp32": lambda spec: ours(spec, precision="fp32"),
    "plain-fp32": lambda spec: plain(spec, autocast=False),
    "plain-autocast": lambda spec: plain(spec, autocast=True, fused=True),
    "transformers-fp32": lambda spec: transformers_gpt2(spec, fused=False),
    "transformers-autocast": lambda spec: transformers_gpt2(spec, fused=True, autocast=True),
    "book-fp32": lambda spec: book(spec),
    "book-autocast": lambda spec: book(spec, autocast=True),
    "products-bf16": lambda spec: products(spec, dtype=torch.bfloat16),
    "products-fp32": lambda spec: products(spec, dtype=torch.float32),
}


def spec_of(preset: str, *, batch: int, threads: int) -> RunSpec:
    """The preset's shape and learning rate; the whole batch at once."""
    spec = load_presets()[preset].spec
    spec.budget.batch = spec.budget.micro_batch = batch
    spec.budget.threads, spec.budget.steps = threads, 1_000_000
    return spec


def made_training(spec: RunSpec, *, precision: str, staging: Path | None = None) -> "Training":
    """The worker's own, on the text that all contenders read."""
    from services.trainer.worker.training import build

    set_dotted(spec, f"budget.precision={precision}")
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    write_tokens(folder / "noise", [_noise(spec)])
    spec.data.corpus, spec.data.validation_fraction = "noise", 0.5
    start = StartTraining(run="runs/bench", spec=spec, corpora_folder=str(folder))
    start.staging_folder = str(staging or folder / "staging")
    return build(start)


def _preset(spec: RunSpec) -> str:
    return next(n for n, config in GPT_CONFIGS.items() if config == GPTConfig.from_spec(spec.model))


def _noise(spec: RunSpec) -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
    draws = np.random.PCG64(0).random_raw(WINDOWS * spec.model.context + 2)
    return np.asarray(draws % spec.model.vocab_size)


def main() -> None:
    name, preset, batch, threads = sys.argv[1:]
    if name.startswith(("ours", "products")):
        keep_memory()
    step = CONTENDERS[name](spec_of(preset, batch=int(batch), threads=int(threads)))
    for _ in sys.stdin:
        wall, processor = time.perf_counter(), time.process_time()
        loss = step()
        told = {
            "wall": time.perf_counter() - wall,
            "processor": time.process_time() - processor,
            "loss": loss,
            "peak": _peak_bytes(),
        }
        print(json.dumps(told), flush=True)


def _peak_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line) << 10


if __name__ == "__main__":
    main()
