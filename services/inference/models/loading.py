"""Bytes in memory to a network, or the reason why they are none."""

import json

import torch

from lab.errors import Damaged
from lab.manifest import CONFIG
from lab.model import GPTConfig, GPTModel
from lab.model.files import tensors_in
from lab.model.hf import config_from_hf, model_of
from lab.spec.parameters import count_parameters
from lab.text import Tokenizer
from lab.v1.run_spec_pb2 import ModelSpec
from services.inference.models.arriving import Fetched

# Some trainers round the vocabulary up, to 50,304 or so; the rows too many stand for no token and
# are never drawn or named.
MAX_PADDING = 1_023


def load(fetched: Fetched) -> GPTModel:
    """The network in evaluation mode, made of these very bytes. Raises Damaged saying why they are
    no model."""
    name = fetched.checkpoint.name
    try:
        config = _config_of(fetched)
        network = model_of(config, tensors_in(fetched.weights), sharing=True)
        for parameter_name, parameter in network.named_parameters():
            # NaN passes through to both. torch.isfinite of every number takes eight times as long.
            if not all(torch.isfinite(end) for end in parameter.aminmax()):
                raise ValueError(
                    f"{parameter_name} holds NaN or infinity; use a checkpoint from before the "
                    "loss went wrong"
                )
    except ValueError as error:
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


def _config_of(fetched: Fetched) -> GPTConfig:
    """Refuses a shape that its weights cannot fill, before memory is taken for it."""
    try:
        config = config_from_hf(json.loads(fetched.shape))
        parameters = count_parameters(spec_of(config))
    except (AttributeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"{CONFIG} describes no GPT-2") from error
    if not Tokenizer.vocab_size <= config.vocab_size <= Tokenizer.vocab_size + MAX_PADDING:
        raise ValueError(
            f"its vocabulary has {config.vocab_size} tokens, but the tokenizer has "
            f"{Tokenizer.vocab_size}"
        )
    weights_bytes = len(fetched.weights)
    if parameters > weights_bytes:  # a parameter takes at least one byte
        raise ValueError(f"{CONFIG} asks for {parameters} parameters in {weights_bytes} bytes")
    return config


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
