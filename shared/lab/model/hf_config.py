"""The shape of a GPT as transformers' GPT2Config, both ways."""

from collections.abc import Mapping
from typing import Any

from lab.model.config import GPTConfig

_END_OF_TEXT = 50_256

# What a GPT-2 may be told to do differently, and all that this model does.
_ONLY: dict[str, tuple[Any, ...]] = {
    "model_type": ("gpt2",),
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),  # two names of one function
    "layer_norm_epsilon": (1e-5,),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "add_cross_attention": (False,),
}
_SIZES = ("n_layer", "n_embd", "n_head", "n_positions", "vocab_size")
_SHOWN = 3  # differences named in one message


def hf_config(config: GPTConfig) -> dict[str, Any]:
    """The fields of transformers' GPT2Config."""
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "vocab_size": config.vocab_size,
        "n_positions": config.context,
        "n_embd": config.width,
        "n_layer": config.layers,
        "n_head": config.heads,
        "n_inner": config.ffn_multiple * config.width,
        "activation_function": "gelu_new",
        "resid_pdrop": config.dropout,
        "embd_pdrop": config.dropout,
        "attn_pdrop": config.dropout,
        "layer_norm_epsilon": 1e-5,
        "initializer_range": 0.02,
        "tie_word_embeddings": config.tied,
        "bos_token_id": _END_OF_TEXT,
        "eos_token_id": _END_OF_TEXT,
        "torch_dtype": "float32",
    }


def config_from_hf(fields: Mapping[str, Any]) -> GPTConfig:
    """The shape a config.json describes; raises ValueError naming what is not a plain GPT-2."""
    differences = [
        f"{name} is {value!r}, only {' or '.join(str(each) for each in able)} can be loaded"
        for name, able in _ONLY.items()
        # Only the kind of model may not be left out: the others are then as GPT-2 has them.
        if (value := fields.get(name, None if name == "model_type" else able[0])) not in able
    ]
    sizes = {}
    for name in _SIZES:
        value = fields.get(name)
        if type(value) is int and value > 0:
            sizes[name] = value
        else:
            differences.append(
                f"{name} is {value!r}, not a size" if name in fields else f"{name} is missing"
            )
    if not differences:
        width, heads = sizes["n_embd"], sizes["n_head"]
        hidden = fields.get("n_inner") or 4 * width
        if type(hidden) is not int or hidden < 1 or hidden % width:
            differences.append(f"n_inner {hidden!r} is not a multiple of n_embd {width}")
        if width % heads:
            differences.append(f"n_embd {width} is not a multiple of n_head {heads}")
    dropout = fields.get("resid_pdrop", 0.1)
    if not isinstance(dropout, int | float) or not 0 <= dropout < 1:
        differences.append(f"resid_pdrop is {dropout!r}, not a share below 1")
    if differences:
        more = len(differences) - _SHOWN
        raise ValueError(
            "; ".join(differences[:_SHOWN]) + (f"; and {more} more differences" if more > 0 else "")
        )
    return GPTConfig(
        layers=sizes["n_layer"],
        width=width,
        heads=heads,
        context=sizes["n_positions"],
        ffn_multiple=hidden // width,
        dropout=float(dropout),
        tied=bool(fields.get("tie_word_embeddings", True)),
        vocab_size=sizes["vocab_size"],
    )
