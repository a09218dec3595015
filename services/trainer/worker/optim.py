"""AdamW, clipping and the learning rate: how gradients become updates."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from lab.spec import learning_rate
from lab.v1.run_spec_pb2 import OptimizerSpec

__all__ = ["clip_and_step", "learning_rate", "make_gradients", "make_optimizer"]

_ALIGNED = 16  # numbers: each gradient begins where a line of the processor's cache does


def make_gradients(model: nn.Module) -> Tensor:
    """Gives every parameter its .grad: a piece of one long row of numbers, which is the answer.

    All gradients can then be set to zero, measured and summed over processes in one go.
    """
    parameters = list(model.parameters())
    starts = [0]
    for parameter in parameters:
        starts.append(starts[-1] + -(-parameter.numel() // _ALIGNED) * _ALIGNED)
    row = torch.zeros(starts[-1], device=parameters[0].device)
    for parameter, start in zip(parameters, starts, strict=False):
        parameter.grad = row[start : start + parameter.numel()].view_as(parameter)
    return row


def make_optimizer(model: nn.Module, spec: OptimizerSpec) -> AdamW:
    """AdamW with weight decay on matrices and embeddings only.

    Decay pulls weights towards 0 so that only what the data keeps asking for stays large. A bias
    or a LayerNorm scale has no such excess, and pulling on it only makes the model worse.

    Moments are allocated here rather than on first use, so that a fresh run and a resumed one go
    through the very same operations.
    """
    parameters = list(model.parameters())
    groups = [
        {
            "params": [p for p in parameters if p.dim() >= 2],
            "weight_decay": spec.weight_decay,
        },
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = AdamW(
        groups,
        lr=spec.learning_rate,
        betas=(spec.beta1, spec.beta2),
        eps=spec.epsilon,
        fused=True,  # one pass over each parameter instead of about ten
    )
    for parameter in parameters:
        optimizer.state[parameter] = {
            "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    return optimizer


def clip_and_step(gradients: Tensor, optimizer: AdamW, loss: Tensor, *, clip: float) -> Tensor:
    """Moves the weights, unless loss or gradient is no number; answers the gradient's length.

    A gradient longer than `clip` is shortened to it, keeping its direction: one odd batch can give
    many times the usual one, and unclipped it would undo hours. The fused AdamW does that division
    on its way, and skips the whole update when found_inf is 1. Nothing here asks the device for a
    number, so nothing waits for it.
    """
    norm: Tensor = torch.linalg.vector_norm(gradients)
    protocol: Any = optimizer  # torch reads these two, which its own GradScaler sets
    protocol.grad_scale = (norm / clip).clamp_min(1.0) if clip else None
    protocol.found_inf = (~torch.isfinite(loss + norm)).float()
    optimizer.step()
    return norm
