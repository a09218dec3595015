"""Exchange with Hugging Face's GPT-2: the same names, and the layout its files have.

A folder written here opens with `GPT2LMHeadModel.from_pretrained(folder)`, and GPT-2's own
model.safetensors loads here. GPT-2 keeps the four matrices of a block as (in, out), torch's Linear
as (out, in); for the square `attn.c_proj` a forgotten transpose would load without any error.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lab.model.config import GPTConfig
from lab.model.gpt import GPTModel

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"

_TRANSPOSED = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
# Constants, not parameters, which old GPT-2 files hold: the causal mask and its fill value.
_IGNORED = (".attn.bias", ".attn.masked_bias")
_END_OF_TEXT = 50_256


def to_hf_state(model: GPTModel) -> dict[str, Tensor]:
    """The parameters as Hugging Face stores them: copies, in memory of their own."""
    return {name: to_hf_layout(name, value) for name, value in model.named_parameters()}


@torch.no_grad()
def load_hf_state(model: GPTModel, tensors: Mapping[str, Tensor]) -> None:
    """Fills the model; raises ValueError naming what is missing, unexpected or of another shape."""
    given = {
        name if name.startswith(("transformer.", "lm_head.")) else f"transformer.{name}": value
        for name, value in tensors.items()
        if not name.endswith(_IGNORED)
    }
    if model.config.tied:
        given.pop("lm_head.weight", None)  # some files repeat wte under this name
    parameters = dict(model.named_parameters())
    if missing := sorted(parameters.keys() - given.keys()):
        raise ValueError(f"the weights lack {', '.join(missing[:3])} ({len(missing)} in all)")
    if unexpected := sorted(given.keys() - parameters.keys()):
        raise ValueError(
            f"the weights hold {', '.join(unexpected[:3])}, which this model has no place for"
        )
    for name, parameter in parameters.items():
        value = from_hf_layout(name, given[name])
        if value.shape != parameter.shape:
            raise ValueError(
                f"{name} has shape {tuple(value.shape)}, but this model needs "
                f"{tuple(parameter.shape)}"
            )
        parameter.copy_(value)


def to_hf_layout(name: str, value: Tensor) -> Tensor:
    """A copy of one parameter (or of anything shaped like it) in Hugging Face's layout."""
    value = value.detach()
    return value.t().contiguous() if name.endswith(_TRANSPOSED) else value.clone()


def from_hf_layout(name: str, value: Tensor) -> Tensor:
    """The way back: a view."""
    return value.t() if name.endswith(_TRANSPOSED) else value


def save_model(model: GPTModel, folder: Path) -> None:
    """Writes model.safetensors and config.json."""
    save_file(to_hf_state(model), folder / WEIGHTS_FILE, metadata={"format": "pt"})
    (folder / CONFIG_FILE).write_text(json.dumps(hf_config(model.config), indent=2) + "\n")


def load_model(folder: Path) -> GPTModel:
    """The model of a folder, in evaluation mode; raises ValueError when it is no GPT-2."""
    config = config_from_hf(json.loads((folder / CONFIG_FILE).read_text()))
    model = GPTModel(config)
    load_hf_state(model, load_file(folder / WEIGHTS_FILE))
    return model.eval()


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
    """The shape a config.json describes; raises ValueError when it is not a plain GPT-2."""
    if fields.get("model_type") != "gpt2":
        raise ValueError(f"model_type is {fields.get('model_type')!r}; only gpt2 can be loaded")
    if (activation := fields.get("activation_function", "gelu_new")) != "gelu_new":
        raise ValueError(f"activation_function is {activation!r}; only gelu_new can be loaded")
    try:
        width = int(fields["n_embd"])
        hidden = int(fields.get("n_inner") or 4 * width)
        config = GPTConfig(
            layers=int(fields["n_layer"]),
            width=width,
            heads=int(fields["n_head"]),
            context=int(fields["n_positions"]),
            ffn_multiple=hidden // width,
            dropout=float(fields.get("resid_pdrop", 0.1)),
            tied=bool(fields.get("tie_word_embeddings", True)),
            vocab_size=int(fields["vocab_size"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"config.json lacks a usable {error}") from error
    if config.ffn_multiple * width != hidden:
        raise ValueError(f"n_inner {hidden} is not a multiple of n_embd {width}")
    return config
