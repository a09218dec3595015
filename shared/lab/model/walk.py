"""One token's way through a network, with the numbers it is made of: `python -m lab.model.walk`.

Nothing is computed for show: the model's own modules do the work, and what they are given and what
they answer is written down on the way. The README of this folder explains the lines.
"""

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lab.model.block import TransformerBlock
from lab.model.config import GPT_CONFIGS
from lab.model.gpt import GPTModel
from lab.model.hf import load_pretrained

_SHOWN = 3  # numbers of a vector
_TEXT = "The cat sat on the"
_IDS = [464, 3797, 3332, 319, 262]  # GPT-2's for that text
_NEXT = 2603  # " mat"

Say = Callable[[str], object]


@torch.no_grad()
def walk(model: GPTModel, ids: list[int], *, target: int, say: Say) -> None:
    """Says a line for each thing that happens to the last of the ids."""
    last = len(ids) - 1
    say(f"ids {ids}, and the one that follows is {target}")
    lines: list[str] = []
    handles = []
    for name, module in _stations(model):

        def note(_: nn.Module, given: Any, made: Tensor, *, name: str = name) -> None:
            lines.append(_line(name, made, last))

        handles.append(module.register_forward_hook(note))
    batch = torch.tensor([ids])  # (1, T)
    try:
        hidden = model.hidden(batch)  # (1, T, C)
    finally:
        for handle in handles:
            handle.remove()
    for line in lines:
        say(line)
    weights = model.attention_weights(batch, [0])[0][0, 0, last]  # (T,)
    say(f"h.0 head 0 looks at     {_numbers(weights, len(ids))}, which sum to {weights.sum():.3f}")
    logits = model.logits(hidden)[0, last]  # (V,)
    say(_line("logits", logits[None, None], 0))
    chances = logits.softmax(0)
    say(
        f"p({target})               {chances[target]:.3e}, and 1/V is "
        f"{1 / model.config.vocab_size:.3e}"
    )
    loss = -chances[target].log().item()
    say(f"loss                    {loss:.4f} nats; ln V is {math.log(model.config.vocab_size):.4f}")
    say(f"(the first {_SHOWN} numbers of a vector, then the root mean square of all)")


def _stations(model: GPTModel) -> Iterator[tuple[str, nn.Module]]:
    """Where something is written down: around all, and in the first and the last block."""
    yield "wte, what the token means", model.token_embedding
    yield "wpe, where it stands", model.transformer["wpe"]
    for number in sorted({0, model.config.layers - 1}):
        block = model.blocks[number]
        assert isinstance(block, TransformerBlock)
        yield f"h.{number}.ln_1", block.ln_1
        yield f"h.{number}.attn.c_attn, q k v", block.attn.c_attn
        yield f"h.{number}.attn, what it heard", block.attn
        yield f"h.{number}.ln_2", block.ln_2
        yield f"h.{number}.mlp.c_fc, widened", block.mlp.c_fc
        yield f"h.{number}.mlp, what it thought", block.mlp
        yield f"h.{number}, the stream after it", block
    yield "ln_f", model.transformer["ln_f"]


def _line(name: str, made: Tensor, position: int) -> str:
    row = made[position] if made.dim() == 2 else made[0, position]
    size = row.pow(2).mean().sqrt()
    return f"{name:28}{tuple(made.shape)!s:16} {_numbers(row, _SHOWN)}, …  rms {size:.4f}"


def _numbers(values: Tensor, count: int) -> str:
    return ", ".join(f"{value:+.3f}" for value in values[:count].tolist())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lab.model.walk", description=__doc__)
    parser.add_argument("--preset", choices=GPT_CONFIGS, default="nano", help="untrained, seed 1")
    parser.add_argument("--folder", type=Path, help="a model of save_pretrained instead")
    chosen = parser.parse_args()
    model = (
        load_pretrained(chosen.folder)
        if chosen.folder
        else GPTModel(GPT_CONFIGS[chosen.preset], seed=1).eval()
    )
    sys.stdout.write(f'"{_TEXT}"\n')
    walk(model, _IDS, target=_NEXT, say=lambda line: sys.stdout.write(f"{line}\n"))


if __name__ == "__main__":
    main()
