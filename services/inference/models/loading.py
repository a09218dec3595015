"""Files to a network, or the reason why they are none."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError

from lab.errors import Damaged
from lab.model import GPTConfig, GPTModel, load_pretrained
from lab.model.hf import config_from_hf
from lab.spec.parameters import count_parameters
from lab.text import Tokenizer
from lab.v1.run_spec_pb2 import ModelSpec
from services.inference.models.fetch import SHAPE, WEIGHTS, Fetched

# Some trainers round the vocabulary up, to 50,304 or so; the rows too many stand for no token and
# are never drawn or named.
MAX_PADDING = 1_023


def load(fetched: Fetched) -> GPTModel:
    """The network in evaluation mode. Raises Damaged saying why the files are no model."""
    name = fetched.checkpoint.name
    try:
        _check_shape(fetched.folder)
        network = load_pretrained(fetched.folder)
        for parameter_name, parameter in network.named_parameters():
            parameter.requires_grad_(False)
            # NaN passes through to both. torch.isfinite of every number takes eight times as long.
            if not all(torch.isfinite(end) for end in parameter.aminmax()):
                raise ValueError(
                    f"{parameter_name} holds NaN or infinity; use a checkpoint from before the "
                    "loss went wrong"
                )
    except (ValueError, OSError, SafetensorError) as error:
        raise Damaged(
            f"{name} cannot be loaded: {_first_line(error)}", metadata={"name": name}
        ) from error
    return network


def spec_of(config: GPTConfig) -> ModelSpec:
    return ModelSpec(
        layers=config.layers,
        width=config.width,
        heads=config.heads,
        context=config.context,
        ffn_multiple=config.ffn_multiple,
        dropout=config.dropout,
        tied=config.tied,
        vocab_size=config.vocab_size,
    )


def _check_shape(folder: Path) -> None:
    """Refuses a shape that its weights cannot fill, before memory is taken for it."""
    try:
        config = config_from_hf(json.loads((folder / SHAPE).read_bytes()))
        parameters = count_parameters(spec_of(config))
    except (AttributeError, ArithmeticError) as error:
        raise ValueError(f"{SHAPE} describes no GPT-2") from error
    if not Tokenizer.vocab_size <= config.vocab_size <= Tokenizer.vocab_size + MAX_PADDING:
        raise ValueError(
            f"its vocabulary has {config.vocab_size} tokens, but the tokenizer has "
            f"{Tokenizer.vocab_size}"
        )
    weights_bytes = (folder / WEIGHTS).stat().st_size
    if parameters > weights_bytes:  # a parameter takes at least one byte
        raise ValueError(f"{SHAPE} asks for {parameters} parameters in {weights_bytes} bytes")


def _first_line(error: Exception) -> str:
    """What went wrong, without any path of this machine."""
    if isinstance(error, OSError):
        return f"{Path(str(error.filename)).name}: {error.strerror}"
    return str(error).splitlines()[0] if str(error) else type(error).__name__
