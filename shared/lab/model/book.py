"""Weights in the layout of the book's own GPTModel (chapter 4), given as safetensors.

A reader who trained there writes them with one line, and reads them here with another:

    safetensors.torch.save_file(model.state_dict(), "mine.safetensors")
    model = load_book_weights("mine.safetensors")

| the book                                            | here                                     |
|-----------------------------------------------------|------------------------------------------|
| tok_emb, pos_emb                                    | wte, wpe                                 |
| trf_blocks.N.att.W_query, W_key, W_value            | h.N.attn.c_attn: one below the other     |
| trf_blocks.N.att.out_proj                           | h.N.attn.c_proj                          |
| trf_blocks.N.ff.layers.0, .2                        | h.N.mlp.c_fc, c_proj                     |
| trf_blocks.N.norm1, norm2 (scale, shift)            | h.N.ln_1, ln_2 (weight, bias)            |
| final_norm (scale, shift)                           | ln_f (weight, bias)                      |
| out_head                                            | lm_head, or nothing when it equals wte   |

The queries, keys and values have biases here; where the book has none they are 0, and no gradient
forbids that they become something else when training goes on.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from lab.manifest import WEIGHTS
from lab.model.config import GPTConfig
from lab.model.files import read_tensors
from lab.model.gpt import GPTModel
from lab.model.hf import model_of, to_hf_layout

_HEAD_WIDTH = 64
_BLOCK = re.compile(r"trf_blocks\.(\d{1,4})\.(.+)")
_QKV = ("att.W_query", "att.W_key", "att.W_value")
_IN_BLOCK = {
    "att.out_proj": "attn.c_proj",
    "ff.layers.0": "mlp.c_fc",
    "ff.layers.2": "mlp.c_proj",
    "norm1": "ln_1",
    "norm2": "ln_2",
}
_OUTSIDE = {"tok_emb": "wte", "pos_emb": "wpe", "final_norm": "ln_f"}
_KINDS = {"scale": "weight", "shift": "bias", "weight": "weight", "bias": "bias"}


def load_book_weights(path: Path | str, *, heads: int | None = None) -> GPTModel:
    """The model of a safetensors file, or of a folder's model.safetensors, in evaluation mode.

    No shape tells the number of heads. In all of the book's configurations each is 64 numbers wide,
    which is taken when `heads` (n_heads there) is not given. Raises ValueError saying what is not
    as in the book.
    """
    path = Path(path)
    folder, file = (path, WEIGHTS) if path.is_dir() else (path.parent, path.name)
    return from_book_state(read_tensors(folder, file), heads=heads)


def from_book_state(tensors: Mapping[str, Tensor], *, heads: int | None = None) -> GPTModel:
    """The same for a state_dict in memory."""
    # The causal mask, which the book keeps as a buffer.
    given = {name: value for name, value in tensors.items() if not name.endswith(".att.mask")}
    config = _config(given, heads)
    state = {ours: value for name, value in given.items() if (ours := _name(name))}
    if config.tied:
        state.pop("lm_head.weight")
    for layer in range(config.layers):
        state |= _joined(given, layer, config.width)
    state = {name: to_hf_layout(name, value) for name, value in state.items()}
    return model_of(config, state)


def _config(given: Mapping[str, Tensor], heads: int | None) -> GPTConfig:
    """The shape, read off the weights."""
    unknown = [
        name for name in given if _name(name) is None and not any(part in name for part in _QKV)
    ]
    needed = ["tok_emb.weight", "pos_emb.weight", "out_head.weight"]
    needed += [f"trf_blocks.0.{part}.weight" for part in (*_QKV, "ff.layers.0")]
    if missing := [name for name in needed if name not in given]:
        raise ValueError(
            f"the weights lack {missing[0]}, so they are not those of the book's GPTModel"
            + (f"; they begin with {next(iter(given))}" if given else "")
        )
    if unknown:
        raise ValueError(f"the weights hold {unknown[0]}, which the book's GPTModel does not have")
    if wrong := [name for name in needed if given[name].dim() != 2]:
        raise ValueError(
            f"{wrong[0]} has shape {tuple(given[wrong[0]].shape)}, not (rows, columns)"
        )
    embedding, head = given["tok_emb.weight"], given["out_head.weight"]
    (vocab_size, width), context = embedding.shape, given["pos_emb.weight"].shape[0]
    hidden = given["trf_blocks.0.ff.layers.0.weight"].shape[0]
    if hidden % width:
        raise ValueError(f"the hidden width {hidden} is not a multiple of the width {width}")
    if heads is None:
        if width % _HEAD_WIDTH:
            raise ValueError(f"a width of {width} does not tell the number of heads; give heads")
        heads = width // _HEAD_WIDTH
    if heads < 1 or width % heads:
        raise ValueError(f"heads is {heads}, which does not divide the width {width}")
    blocks = {int(found[1]) for name in given if (found := _BLOCK.fullmatch(name))}
    if lost := sorted(set(range(len(blocks))) - blocks):
        raise ValueError(f"trf_blocks.{lost[0]} is missing among {len(blocks)} blocks")
    return GPTConfig(
        layers=len(blocks),
        width=width,
        heads=heads,
        context=context,
        ffn_multiple=hidden // width,
        tied=torch.equal(embedding, head),
        vocab_size=vocab_size,
    )


def _name(name: str) -> str | None:
    """Ours for the book's; None for what has none of its own."""
    if name == "out_head.weight":
        return "lm_head.weight"
    module, _, kind = name.rpartition(".")
    if kind not in _KINDS:
        return None
    if module in _OUTSIDE:
        return f"transformer.{_OUTSIDE[module]}.{_KINDS[kind]}"
    found = _BLOCK.fullmatch(module)
    if found is None or found[2] not in _IN_BLOCK:
        return None
    return f"transformer.h.{int(found[1])}.{_IN_BLOCK[found[2]]}.{_KINDS[kind]}"


def _joined(given: Mapping[str, Tensor], layer: int, width: int) -> dict[str, Tensor]:
    """c_attn of one block: the rows of W_query, then those of W_key, then those of W_value."""
    rows: dict[str, Tensor] = {}
    for kind, shape in (("weight", (width, width)), ("bias", (width,))):
        names = [f"trf_blocks.{layer}.{part}.{kind}" for part in _QKV]
        if kind == "bias" and not any(name in given for name in names):
            rows[kind] = torch.zeros(3 * width)  # qkv_bias=False, the book's own choice
            continue
        for name in names:
            if name not in given:
                raise ValueError(f"the weights lack {name}")
            if tuple(given[name].shape) != shape:
                raise ValueError(
                    f"{name} has shape {tuple(given[name].shape)}, but this model needs {shape}"
                )
        rows[kind] = torch.cat([given[name] for name in names])
    return {f"transformer.h.{layer}.attn.c_attn.{kind}": rows[kind] for kind in rows}
