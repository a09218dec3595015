"""How a model begins: all initialisation in one function."""

import math

import torch
from torch import Tensor, nn

STANDARD_DEVIATION = 0.02  # GPT-2's, for every width


@torch.no_grad()
def initialise(model: nn.Module, *, layers: int, seed: int | None = None) -> None:
    """Gives every parameter its first value, as GPT-2 does.

    | parameter                      | value                  | why                          |
    |--------------------------------|------------------------|------------------------------|
    | embeddings, head, c_attn, c_fc | N(0, 0.02)             | logits near 0: loss ~ ln V   |
    | both c_proj of a block         | N(0, 0.02 / sqrt(2 L)) | 2L of them add to the stream |
    | biases                         | 0                      |                              |
    | LayerNorm                      | weight 1, bias 0       | begins as plain normalising  |

    The sum of 2L independent terms has sqrt(2L) times the spread of one; the division keeps the
    residual stream at the same size whatever the depth.
    """
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            parameter.zero_()
        elif ".ln_" in name:
            parameter.fill_(1.0)
        else:
            residual = name.endswith("c_proj.weight")
            scale = 1 / math.sqrt(2 * layers) if residual else 1.0
            _normal(parameter, STANDARD_DEVIATION * scale, generator)


def _normal(parameter: Tensor, deviation: float, generator: torch.Generator | None) -> None:
    parameter.normal_(0.0, deviation, generator=generator)
