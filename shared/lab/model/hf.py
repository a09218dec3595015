"""Exchange with Hugging Face's GPT-2: the same names, and the layout its files have.

A folder written here opens with `GPT2LMHeadModel.from_pretrained(folder)`, and GPT-2's own
model.safetensors loads here. GPT-2 keeps the four matrices of a block as (in, out), torch's Linear
as (out, in); for the square `attn.c_proj` a forgotten transpose would load without any error.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from lab.manifest import CONFIG, WEIGHTS
from lab.model.config import GPTConfig
from lab.model.files import read_json, read_tensors
from lab.model.gpt import GPTModel
from lab.model.hf_config import config_from_hf, hf_config

__all__ = [
    "config_from_hf",
    "from_hf_layout",
    "hf_config",
    "load_hf_state",
    "load_pretrained",
    "save_pretrained",
    "to_hf_layout",
    "to_hf_state",
]

_TRANSPOSED = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
# Constants, not parameters, which old GPT-2 files hold: the causal mask and its fill value.
_IGNORED = (".attn.bias", ".attn.masked_bias")


def save_pretrained(model: GPTModel, folder: Path | str) -> None:
    """Writes model.safetensors and config.json; the folder is made if it is not there."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(to_hf_state(model), folder / WEIGHTS, metadata={"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(hf_config(model.config), indent=2) + "\n")


def load_pretrained(folder: Path | str) -> GPTModel:
    """The model of a folder, in evaluation mode; raises ValueError saying why it is no GPT-2.

    The weights are one model.safetensors, or several files with their index beside them; whatever
    their type, the model has them in fp32.
    """
    folder = Path(folder)
    config = config_from_hf(read_json(folder / CONFIG))
    return model_of(config, read_tensors(folder, WEIGHTS))


def model_of(
    config: GPTConfig, tensors: Mapping[str, Tensor], *, sharing: bool = False
) -> GPTModel:
    """A model with these weights, in Hugging Face's names and layout; raises ValueError.

    `sharing`: for reading only. What is fp32 is not copied: matrices that lie turned stay so, and
    are views.
    """
    given = _named(config, tensors)
    # Before memory is taken for a shape that somebody only wrote down.
    blocks = {name.split(".")[2] for name in given if name.startswith("transformer.h.")}
    if len(blocks) != config.layers:
        raise ValueError(f"the weights hold {len(blocks)} blocks, but n_layer is {config.layers}")
    for name, rows in (("wte", config.vocab_size), ("wpe", config.context)):
        _check_shape(f"transformer.{name}.weight", given, (rows, config.width))
    hidden = config.ffn_multiple * config.width
    _check_shape("transformer.h.0.mlp.c_fc.weight", given, (config.width, hidden))
    with _NothingDrawn():  # memory that is touched first when the weights come, no random numbers
        model = GPTModel(config)
    if sharing:
        for parameter, value in _fitting(model, given):
            parameter.data = value.to(parameter.dtype)
            parameter.requires_grad_(False)
    else:
        load_hf_state(model, given)
    return model.eval()


class _NothingDrawn(TorchFunctionMode):
    """Skips drawing first values. For tensors without memory (torch's "meta") torch would skip it
    too, but only after importing hundreds of modules, which takes a process its first second."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_, Tensor.normal_):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def to_hf_state(model: GPTModel) -> dict[str, Tensor]:
    """The parameters as Hugging Face stores them: copies, in memory of their own."""
    return {name: to_hf_layout(name, value) for name, value in model.named_parameters()}


@torch.no_grad()
def load_hf_state(model: GPTModel, tensors: Mapping[str, Tensor]) -> None:
    """Fills the model; raises ValueError naming what is missing, unexpected or of another shape."""
    for parameter, value in _fitting(model, _named(model.config, tensors)):
        parameter.copy_(value)


def _fitting(model: GPTModel, given: Mapping[str, Tensor]) -> Iterator[tuple[nn.Parameter, Tensor]]:
    """Each parameter and the value meant for it, in our layout."""
    parameters = dict(model.named_parameters())
    if missing := sorted(parameters.keys() - given.keys()):
        raise ValueError(f"the weights lack {', '.join(missing[:3])} ({len(missing)} in all)")
    if unexpected := sorted(given.keys() - parameters.keys()):
        raise ValueError(
            f"the weights hold {', '.join(unexpected[:3])}, which this model has no place for"
        )
    for name, parameter in parameters.items():
        wanted = from_hf_layout(name, parameter).shape  # a transpose is its own way back
        _check_shape(name, given, tuple(wanted))
        yield parameter, from_hf_layout(name, given[name])


def to_hf_layout(name: str, value: Tensor) -> Tensor:
    """A copy of one parameter (or of anything shaped like it) in Hugging Face's layout."""
    value = value.detach()
    return value.t().contiguous() if name.endswith(_TRANSPOSED) else value.clone()


def from_hf_layout(name: str, value: Tensor) -> Tensor:
    """The way back: a view."""
    return value.t() if name.endswith(_TRANSPOSED) else value


def _named(config: GPTConfig, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """By the names of our parameters: old files have no prefix, some repeat wte as the head."""
    given = {
        name if name.startswith(("transformer.", "lm_head.")) else f"transformer.{name}": value
        for name, value in tensors.items()
        if not name.endswith(_IGNORED)
    }
    if config.tied:
        given.pop("lm_head.weight", None)
    return given


def _check_shape(name: str, given: Mapping[str, Tensor], wanted: tuple[Any, ...]) -> None:
    """Of a tensor as it lies in the file."""
    if name not in given:
        raise ValueError(f"the weights lack {name}")
    if (found := tuple(given[name].shape)) != wanted:
        raise ValueError(f"{name} has shape {found}, but this model needs {wanted}")
    if not given[name].is_floating_point():
        raise ValueError(f"{name} holds {given[name].dtype}, not weights")
